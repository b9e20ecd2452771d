"""A server that is only as good as what it calls: mistral-mcp without a key, without a network, with both."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from integration.local_runs import found, package, run, told
from integration.server_processes import SOURCES, left_behind

from diagnose import Options, Report

pytestmark = pytest.mark.integration
WORKFLOW = Options(tool="workflow_execute", arguments={"workflowIdentifier": "report"})


def test_a_key_that_only_stderr_misses_is_a_warning_and_the_connector_works(
    request: pytest.FixtureRequest, mark: str
) -> None:
    report = run(package("mistral-mcp")(request), mark)

    assert ([], [("tls", "STDIO011")]) == (found(report, "error"), found(report, "warning")), told(report)
    warning = report.step("tls").findings[0]
    assert "[mistral-mcp] MISTRAL_API_KEY is not set." == warning.evidence[0].observed
    assert "MISTRAL_API_KEY" in warning.summary
    assert "MISTRAL_API_KEY" in warning.fix
    assert "warned" == report.verdict.status
    assert 8 == report.step("list_tools").facts["tools"]


def test_a_node_that_is_too_old_is_named(request: pytest.FixtureRequest, mark: str, node_16: str) -> None:
    _, script = package("mistral-mcp")(request)
    report = run((node_16, script), mark)

    assert [("http_reachability", "STDIO016")] == found(report, "error", "warning"), told(report)
    assert "ReadableStream is not defined" in report.verdict.summary


def in_namespaces(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    """mistral-mcp where its upstream is a server of ours, over TLS, under its real name."""
    if not namespaces():
        pytest.skip("no namespaces of one's own here, in which a name leads elsewhere")
    script = str(SOURCES / "upstream_in_a_namespace.py")
    return ["unshare", "-rnm", sys.executable, script, str(folder), *package("mistral-mcp")(request)]


def namespaces() -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, "-rnm", "true"], check=False).returncode == 0


def test_the_result_of_a_workflow_is_checked_against_its_output_schema(
    request: pytest.FixtureRequest, mark: str, tmp_path: Path
) -> None:
    report = run(in_namespaces(request, tmp_path), mark, WORKFLOW, MISTRAL_API_KEY="right")

    assert [] == found(report, "error", "warning"), told(report)
    called = report.step("sample_call").facts
    assert ("workflow_execute", "conforms to the outputSchema") == (
        called["tool"],
        called["structured_content"],
    )


def test_a_key_that_the_upstream_refuses_is_the_tools_error_and_not_the_connectors(
    request: pytest.FixtureRequest, mark: str, tmp_path: Path
) -> None:
    report = run(in_namespaces(request, tmp_path), mark, WORKFLOW, MISTRAL_API_KEY="wrong")

    assert [("sample_call", "CALL006")] == found(report, "error", "warning"), told(report)
    assert "401" in str(report.step("sample_call").findings[0].evidence[0].observed)


def test_an_upstream_without_a_network_is_the_tools_error_and_not_the_connectors(
    without_network: tuple[str, subprocess.Popen[str]],
) -> None:
    mark, child = without_network
    out, _ = child.communicate(timeout=90)

    report = Report.model_validate_json(out)
    assert [("sample_call", "CALL007")] == found(report, "error", "warning"), told(report)
    assert (0, "warned") == (child.returncode, report.verdict.status)
    assert "fetch failed" in str(report.step("sample_call").findings[0].evidence[0].observed)
    assert [] == left_behind(mark)
