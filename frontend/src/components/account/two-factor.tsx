"use client"

import { useRouter } from "next/navigation"
import { QRCodeSVG } from "qrcode.react"
import { useRef, useState } from "react"
import { errorMessage, Field, Form } from "@/components/forms"
import { useNotices } from "@/components/notices"
import { authClient } from "@/lib/auth-client"

interface Enrollment {
  readonly totpURI: string
  readonly backupCodes: readonly string[]
}

/** Turns two-factor authentication with an authenticator app on and off. */
export function TwoFactor({ isEnabled: initiallyEnabled }: { isEnabled: boolean }) {
  const [isEnabled, setEnabled] = useState(initiallyEnabled)
  const [enrollment, setEnrollment] = useState<Enrollment | null>(null)
  const { showMessage } = useNotices()
  const router = useRouter()
  const heading = useRef<HTMLHeadingElement>(null)

  function onSwitched(on: boolean): void {
    setEnrollment(null)
    setEnabled(on)
    showMessage(`Two-factor authentication is ${on ? "on" : "off"}. All other sessions were signed out.`)
    heading.current?.focus()
    router.refresh() // else going back in the history would show the old state
  }

  return (
    <section aria-labelledby="two-factor">
      <h2 id="two-factor" ref={heading} tabIndex={-1}>
        Two-factor authentication
      </h2>
      {isEnabled ? (
        <>
          <p>On. Signing in requires a code from your authenticator app.</p>
          <NewBackupCodes />
          <Disable onDone={() => onSwitched(false)} />
        </>
      ) : enrollment ? (
        <Verify enrollment={enrollment} onDone={() => onSwitched(true)} />
      ) : (
        <>
          <p>Off. When it is on, signing in also requires a code from an authenticator app.</p>
          <Enable
            onEnrolled={(enrollment) => {
              setEnrollment(enrollment)
              heading.current?.focus()
            }}
          />
        </>
      )}
    </section>
  )
}

function Enable({ onEnrolled }: { onEnrolled: (enrollment: Enrollment) => void }) {
  return (
    <Form
      submitLabel="Turn on"
      submit={async ({ password = "" }) => {
        const { data, error } = await authClient.twoFactor.enable({ password })
        if (data && "totpURI" in data) onEnrolled(data)
        return errorMessage(error)
      }}
    >
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </Form>
  )
}

function Verify({
  enrollment: { totpURI, backupCodes },
  onDone,
}: {
  enrollment: Enrollment
  onDone: () => void
}) {
  return (
    <Form
      submitLabel="Verify"
      submit={async ({ code = "" }) => {
        const { error } = await authClient.twoFactor.verifyTotp({ code })
        if (!error) onDone()
        return errorMessage(error)
      }}
    >
      <p>Scan this QR code with your authenticator app, or enter the key.</p>
      <QRCodeSVG
        value={totpURI}
        size={176}
        marginSize={2}
        title="QR code for your authenticator app"
        className="qr"
      />
      <p>
        Key: <code>{new URL(totpURI).searchParams.get("secret")}</code>
      </p>
      <BackupCodes codes={backupCodes} />
      <Field
        label="Code from your authenticator app"
        name="code"
        inputMode="numeric"
        autoComplete="one-time-code"
      />
    </Form>
  )
}

function BackupCodes({ codes }: { codes: readonly string[] }) {
  return (
    <>
      <p>Save these backup codes in case you lose your phone. Each code works once.</p>
      <ul className="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
    </>
  )
}

/** Replaces the backup codes, such as when most are used. */
function NewBackupCodes() {
  const [isOpen, setOpen] = useState(false)
  const [codes, setCodes] = useState<readonly string[]>([])
  return (
    <>
      <div role="status">{codes.length > 0 && <BackupCodes codes={codes} />}</div>
      {!isOpen && (
        <p>
          <button type="button" onClick={() => setOpen(true)}>
            New backup codes…
          </button>
        </p>
      )}
      {isOpen && (
        <Form
          submitLabel="Replace backup codes"
          submit={async ({ password = "" }) => {
            const { data, error } = await authClient.twoFactor.generateBackupCodes({ password })
            if (data) {
              setCodes(data.backupCodes)
              setOpen(false)
            }
            return errorMessage(error)
          }}
        >
          <p>The old backup codes stop working.</p>
          <Field
            label="Your password"
            name="password"
            type="password"
            autoComplete="current-password"
            autoFocus
          />
        </Form>
      )}
    </>
  )
}

function Disable({ onDone }: { onDone: () => void }) {
  return (
    <Form
      submitLabel="Turn off"
      isDangerous
      submit={async ({ password = "" }) => {
        const { error } = await authClient.twoFactor.disable({ password })
        if (!error) onDone()
        return errorMessage(error)
      }}
    >
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </Form>
  )
}
