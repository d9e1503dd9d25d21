import asyncio
from pathlib import Path

from application.health import Finding, Status
from entrypoints.doctor import CHECKS, Doctor, Findings
from tests.support.loopback_server import Loopback, loopback, response, sending
from tests.support.tokens import Issuer, compact_json

PASSWORD = "hunter2"


def env(site: Loopback, **more: str) -> dict[str, str]:
    return {"BETTER_AUTH_BASE_URL": site.url.removesuffix("/api/auth/jwks")} | more


def named(findings: Findings) -> dict[str, Finding]:
    assert tuple(finding.name for finding in findings) == CHECKS
    return {finding.name: finding for finding in findings}


async def test_invalid_settings_fail_one_check_and_skip_the_others() -> None:
    url = f"mysql://alice:{PASSWORD}@host/x"
    settings, *others = await Doctor(env={"DATABASE_URL": url})()
    assert settings.status is Status.FAILED
    assert settings.detail.startswith("DATABASE_URL=")
    assert PASSWORD not in settings.detail
    assert {finding.detail for finding in others} == {"not checked: the settings are invalid"}
    assert tuple(finding.name for finding in (settings, *others)) == CHECKS


async def test_the_expected_claims_are_reported_without_a_token() -> None:
    async with loopback(sending(response(compact_json(Issuer.new().jwks())))) as site:
        found = named(await Doctor(env=env(site, EVO_TODO_ISSUER="me", EVO_TODO_AUDIENCE="you"))())
    assert found["expected-claims"] == Finding.ok("expected-claims", 'tokens must have `iss` "me", and "you" in `aud`')
    assert found["token"].status is Status.SKIPPED
    assert found["token"].advice == "evo-todo doctor --token - reads one"


async def test_keys_from_elsewhere_than_the_issuer_are_a_note() -> None:
    async with loopback(sending(response(compact_json(Issuer.new().jwks())))) as site:
        own = named(await Doctor(env=env(site))())
    async with loopback(sending(response(compact_json(Issuer.new().jwks())))) as site:
        other = named(await Doctor(env={"EVO_TODO_JWKS_URL": site.url})())
    assert own["key-set-origin"].status is Status.OK
    assert other["key-set-origin"].status is Status.NOTE
    assert '"http://localhost:3000"' in other["key-set-origin"].detail


async def test_the_origin_is_the_bases_unless_another_is_given() -> None:
    async with loopback(sending(b"")) as site:
        base = site.url.removesuffix("/api/auth/jwks")
        more = {"EVO_TODO_ISSUER": "me", "EVO_TODO_CORS_ORIGINS": f"{base},http://x"}
        found = named(await Doctor(env=env(site, **more))())
    assert found["cors"] == Finding.ok("cors", f'requests from "{base}" are allowed')
    async with loopback(sending(b"")) as site:
        found = named(await Doctor(env=env(site), origin="http://y")())
    assert found["cors"].status is Status.FAILED


async def test_without_a_database_the_advice_names_the_setting() -> None:
    async with loopback(sending(b"")) as site:
        found = named(await Doctor(env=env(site))())
    assert found["database"].status is Status.FAILED
    assert "set it to postgresql://" in str(found["database"].advice)
    assert found["tables"].status is Status.SKIPPED


async def test_a_check_that_hangs_fails_and_does_not_stop_the_others(tmp_path: Path) -> None:
    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with loopback(hang) as site:
        doctor = Doctor(env=env(site, DATABASE_URL=f"sqlite:///{tmp_path}/tasks.db"), deadline=0.3)
        found = named(await doctor())
    assert found["key-set"].detail == "no response within 0.3 s"
    assert found["token"].detail == "not checked: key-set failed"
    assert "no such file" in found["database"].detail


async def test_an_unexpected_error_is_reported_without_its_message() -> None:
    async def fail() -> Findings:
        raise RuntimeError(PASSWORD)

    database, tables = await Doctor(env={})._in_time(fail(), "database", "tables")
    assert database.status is Status.FAILED
    assert database.detail == "unexpected error: RuntimeError"
    assert tables.status is Status.SKIPPED


async def test_the_token_is_checked_by_the_rules_of_the_service() -> None:
    issuer = Issuer.new(name="me", audience="you")
    settings = {
        "EVO_TODO_ISSUER": "me",
        "EVO_TODO_AUDIENCE": "you",
        "EVO_TODO_LEEWAY": "7",
        "EVO_TODO_MAX_TOKEN_LIFETIME": "60",
    }
    document = response(compact_json(issuer.jwks()))
    async with loopback(sending(document)) as site:
        found = named(await Doctor(env=env(site, **settings), token=issuer.token())())
    assert "at most 60 s" in found["token"].detail
    async with loopback(sending(document)) as site:
        young = issuer.token(exp=int(issuer.now()) - 100, iat=int(issuer.now()) - 110)
        found = named(await Doctor(env=env(site, **settings), token=young)())
    assert "7 s are allowed" in found["token"].detail


async def test_a_base_url_over_plain_http_is_valid_if_the_keys_are_on_this_machine() -> None:
    plain = {"BETTER_AUTH_BASE_URL": "http://auth.example.com", "EVO_TODO_JWKS_URL": "http://127.0.0.1:1/jwks"}
    found = named(await Doctor(env=plain)())
    assert found["settings"].status is Status.OK
    assert '"http://auth.example.com" are not allowed' in found["cors"].detail
