"use client"

import { useRouter } from "next/navigation"
import { QRCodeSVG } from "qrcode.react"
import { useRef, useState } from "react"
import { Field, Form, outcome } from "@/components/forms"
import { useNotices } from "@/components/notices"
import { authClient } from "@/lib/auth-client"

interface Enrolment {
  readonly totpURI: string
  readonly backupCodes: readonly string[]
}

/** Turn the second factor on, with an authenticator app, and off again. */
export function TwoFactor({ isEnabled: atFirst }: { isEnabled: boolean }) {
  const [isEnabled, setEnabled] = useState(atFirst)
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null)
  const { say } = useNotices()
  const router = useRouter()
  const heading = useRef<HTMLHeadingElement>(null)

  function turned(on: boolean): void {
    setEnrolment(null)
    setEnabled(on)
    say(`Two-factor authentication is ${on ? "on" : "off"}.`)
    heading.current?.focus()
    router.refresh() // else going back would show the page as it was before
  }

  return (
    <section aria-labelledby="two-factor">
      <h2 id="two-factor" ref={heading} tabIndex={-1}>
        Two-factor authentication
      </h2>
      {isEnabled ? (
        <>
          <p>On: signing in takes a code from your authenticator app.</p>
          <Disable done={() => turned(false)} />
        </>
      ) : enrolment ? (
        <Verify enrolment={enrolment} done={() => turned(true)} />
      ) : (
        <>
          <p>Off. With it, a password alone does not get anybody into your account.</p>
          <Enable
            next={(enrolment) => {
              setEnrolment(enrolment)
              heading.current?.focus()
            }}
          />
        </>
      )}
    </section>
  )
}

function Enable({ next }: { next: (enrolment: Enrolment) => void }) {
  return (
    <Form
      action="Turn on"
      send={async ({ password = "" }) => {
        const { data, error } = await authClient.twoFactor.enable({ password })
        if (data && "totpURI" in data) next(data)
        return outcome(error)
      }}
    >
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </Form>
  )
}

function Verify({ enrolment: { totpURI, backupCodes }, done }: { enrolment: Enrolment; done: () => void }) {
  return (
    <Form
      action="Verify"
      send={async ({ code = "" }) => {
        const { error } = await authClient.twoFactor.verifyTotp({ code: code.replace(/\s/g, "") })
        if (!error) done()
        return outcome(error)
      }}
    >
      <p>Scan this with your authenticator app, or type the key into it.</p>
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
      <p>Keep these backup codes where you find them without your phone. Each works once.</p>
      <ul className="codes">
        {backupCodes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <Field
        label="Code from the app"
        name="code"
        inputMode="numeric"
        autoComplete="one-time-code"
        pattern="[0-9 ]{6,7}"
        title="six digits"
      />
    </Form>
  )
}

function Disable({ done }: { done: () => void }) {
  return (
    <Form
      action="Turn off"
      isDangerous
      send={async ({ password = "" }) => {
        const { error } = await authClient.twoFactor.disable({ password })
        if (!error) done()
        return outcome(error)
      }}
    >
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </Form>
  )
}
