"""What step 4 sends, and to whom: one request where all is well, contrasts only after a refusal."""

from __future__ import annotations

import pytest
from diagnose_lab import Lab
from scenario_runs import run


def sent(lab: Lab, name: str, *more: str) -> list[tuple[str, str, str | None]]:
    return [(seen.method, seen.path, seen.rpc_method) for seen in run(lab, name, *more).requests]


@pytest.mark.parametrize("name", ["healthy-modern", "healthy-modern-sse", "healthy-modern-tls"])
def test_a_healthy_modern_server_sees_one_message_of_step_4_on_one_connection(lab: Lab, name: str) -> None:
    outcome = run(lab, name, "--until", "http_reachability")
    assert ["server/discover"] == [seen.rpc_method for seen in outcome.requests]
    assert 1 == outcome.connections


def test_a_legacy_server_that_refuses_in_json_rpc_is_not_asked_again_by_step_4(lab: Lab) -> None:
    assert [("POST", "/mcp", "server/discover")] == sent(
        lab, "healthy-legacy", "--until", "http_reachability"
    )


def test_a_rate_limit_is_met_once(lab: Lab) -> None:
    assert 1 == len(sent(lab, "http-rate-limit"))


def test_a_redirect_is_followed_once_and_then_the_new_address_is_used(lab: Lab) -> None:
    paths = [path for _, path, _ in sent(lab, "http-redirect-slash")]
    assert ["/mcp/"] == paths[:1]
    assert {"/mcp"} == set(paths[1:])


def test_no_request_follows_a_redirect_to_another_origin(lab: Lab) -> None:
    assert {"server"} == {seen.server for seen in run(lab, "http-redirect-cross-origin").requests}


def test_paths_that_are_guessed_get_no_credential(lab: Lab) -> None:
    outcome = run(lab, "http-wrong-path", "--header", "X-API-Key: secret-of-this-test")
    guessed = [seen for seen in outcome.requests if seen.path != "/mcp"]
    assert 3 == len(guessed)
    assert {None} == {seen.header("x-api-key") for seen in guessed}
    assert "secret-of-this-test" == outcome.requests[0].header("x-api-key")
    assert "secret-of-this-test" not in outcome.stdout


def test_at_most_four_paths_are_guessed(lab: Lab) -> None:
    paths = {path for _, path, _ in sent(lab, "http-wrong-path-legacy")}
    assert 4 == len(paths - {"/mcp"})


def test_a_contrast_changes_one_header_only(lab: Lab) -> None:
    refused, contrast = run(lab, "http-host-guard").requests
    differing = {
        name
        for (name, value), (_, other) in zip(refused.headers, contrast.headers, strict=True)
        if value != other
    }
    assert {"host"} == {name.lower() for name in differing}
    assert refused.body == contrast.body


def test_after_a_banned_name_the_run_goes_on_under_the_name_of_the_runtime(lab: Lab) -> None:
    outcome = run(lab, "http-agent-ban-ours")
    agents = [seen.header("user-agent") or "" for seen in outcome.requests]
    banned = ["server/discover", "initialize"]  # both eras are tried before the name is suspected
    assert banned == [seen.rpc_method for seen in outcome.requests[:2]]
    names = [agent.partition("/")[0] for agent in agents]
    changed = names.index("python-httpx2")
    assert {"connector-diagnose"} == set(names[:changed])
    assert {"python-httpx2"} == set(names[changed:])
    assert 0 == outcome.exit_code


def test_a_session_made_for_a_contrast_is_deleted(lab: Lab) -> None:
    seen = sent(lab, "http-cors-session-hidden", "--until", "http_reachability")
    assert "DELETE" == seen[-1][0]


def test_without_deep_no_second_session_is_made(lab: Lab) -> None:
    methods = [method for _, _, method in sent(lab, "healthy-legacy")]
    assert 1 == methods.count("initialize")
