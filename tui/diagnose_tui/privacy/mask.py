"""What the screen shows, masked: entries, runs, steps, exchanges and single texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from diagnose.model import Exchange, Finding, Problem, Report, StepResult
from diagnose_tui.entries import Entry
from diagnose_tui.privacy.knowledge import Knowledge
from diagnose_tui.privacy.substitution import Substitution
from diagnose_tui.view import View

__all__ = ["Mask"]

T = TypeVar("T")

_KEPT = 2000
_ATTEMPTS = 3
_DEEPEST = 100
# Not the rule: it is the catalogue's, and the section 4.1.2.1 of a document looks like an address.
_FINDING_TEXTS = ("summary", "cause", "fix", "where", "reproduce", "forward")
_EVIDENCE_TEXTS = ("label", "expected", "observed", "where")


class Mask:
    """One for the whole app, so that a placeholder means the same everywhere. For one thread."""

    def __init__(self) -> None:
        self._knowledge = Knowledge()
        self._words = Substitution(self._knowledge)
        self._made: dict[int, tuple[object, Any]] = {}
        self._version = 0

    def learn(self, *entries: Entry) -> None:
        """Learn the list of connectors: what one of them is called is masked in the others' runs, too."""
        self._knowledge.entries(entries)

    def text(self, text: str) -> str:
        """``text`` with everything masked that is known or looks like it."""
        return self._words.text(text)

    def name(self, name: str) -> str:
        """A name that stands by itself; masked also where it is an ordinary word."""
        return self._words.name(name)

    def entry(self, entry: Entry) -> Entry:
        """An entry of the list as it is shown; never the one to run."""
        self._knowledge.entries([entry])
        return replace(
            entry,
            name=self.name(entry.name),
            client=self.name(entry.client),
            target=self.text(entry.target),
            place=self.text(entry.place),
            problems=tuple(map(self._problem, entry.problems)),
            report=None if entry.report is None else self.report(entry.report),
        )

    def view(self, view: View) -> View:
        """A view, learned and masked whole."""
        self._knowledge.view(view)
        return self._settled(lambda: self._view(view))

    def report(self, report: Report) -> Report:
        """A report, learned and masked; codes, steps and numbers are as they were."""
        self._knowledge.report(report)
        return self._once(report, self._report)

    def step(self, step: StepResult) -> StepResult:
        """The result of one step, masked."""
        return self._once(step, self._step)

    def exchange(self, exchange: Exchange) -> Exchange:
        """One exchange, masked; a body is searched as text."""
        return self._once(exchange, self._exchange)

    def _once(self, thing: T, made_of: Callable[[T], T]) -> T:
        """The masked form of something that does not change, made once until more is known."""
        if self._version != self._knowledge.version or len(self._made) > _KEPT:
            self._version = self._knowledge.version
            self._made.clear()
        kept = self._made.get(id(thing))
        if kept is not None and kept[0] is thing:
            masked: T = kept[1]
            return masked
        masked = self._settled(lambda: made_of(thing))
        self._made[id(thing)] = (thing, masked)
        return masked

    def _settled(self, make: Callable[[], T]) -> T:
        """What ``make`` gives once it meets nothing new; its last lines may explain its first ones."""
        for _ in range(_ATTEMPTS):
            version = self._knowledge.version
            made = make()
            if version == self._knowledge.version:
                break
        return made

    def _view(self, view: View) -> View:
        return replace(
            view,
            name=self.name(view.name),
            target=self.text(view.target),
            steps=list(map(self.step, view.steps)),
            exchanges=list(map(self.exchange, view.exchanges)),
            report=None if view.report is None else self.report(view.report),
            tools=self._once(view.tools, lambda tools: [self._deep(tool, 1) for tool in tools]),
            problems=list(map(self._problem, view.problems)),
            trouble=None if view.trouble is None else self._problem(view.trouble),
        )

    def _report(self, report: Report) -> Report:
        connector, verdict, environment = report.connector, report.verdict, report.environment
        about = self._texts(connector, "url", "source") | {
            "name": self.name(connector.name),
            "command": None if connector.command is None else list(map(self.text, connector.command)),
            "problems": list(map(self._problem, connector.problems)),
        }
        around = self._texts(environment, "trust_store") | {"proxies": self._deep(environment.proxies, 0)}
        said = self._texts(verdict, "summary", "cause", "fix")
        return report.model_copy(
            update={
                "connector": connector.model_copy(update=about),
                "verdict": verdict.model_copy(update=said),
                "environment": environment.model_copy(update=around),
                "steps": list(map(self.step, report.steps)),
                "exchanges": list(map(self.exchange, report.exchanges)),
            }
        )

    def _step(self, step: StepResult) -> StepResult:
        facts = {key: self._fact(key, value, step.id == "tls") for key, value in step.facts.items()}
        return step.model_copy(update={"facts": facts, "findings": list(map(self._finding, step.findings))})

    def _fact(self, key: str, value: Any, of_certificate: bool) -> Any:
        if isinstance(value, str):
            named = key in ("server_name", "server_title")
            named = named or (of_certificate and key in ("subject", "issuer") and "=" not in value)
            if named:
                return self.name(value)
            return self._words.host(value) if key == "host" else self.text(value)
        if of_certificate and isinstance(value, list):
            return [self._fact_of_chain(item) for item in value]
        return self._deep(value, 0)

    def _fact_of_chain(self, item: Any) -> Any:
        if not isinstance(item, Mapping):
            return self._deep(item, 0)
        return {key: self._fact(key, value, of_certificate=True) for key, value in item.items()}

    def _finding(self, finding: Finding) -> Finding:
        evidence = [item.model_copy(update=self._texts(item, *_EVIDENCE_TEXTS)) for item in finding.evidence]
        ruled_out = list(map(self.text, finding.ruled_out))
        return finding.model_copy(
            update=self._texts(finding, *_FINDING_TEXTS) | {"evidence": evidence, "ruled_out": ruled_out}
        )

    def _exchange(self, exchange: Exchange) -> Exchange:
        request, response = self._deep(exchange.request, 0), self._deep(exchange.response, 0)
        return exchange.model_copy(update={"request": request, "response": response})

    def _problem(self, problem: Problem) -> Problem:
        return problem.model_copy(update=self._texts(problem, "what", "hint", "where"))

    def _texts(self, thing: object, *fields: str) -> dict[str, Any]:
        values = {field: getattr(thing, field) for field in fields}
        return {field: None if value is None else self.text(value) for field, value in values.items()}

    def _deep(self, value: Any, depth: int) -> Any:
        """The strings of a JSON value; the outermost keys are the report's own words."""
        if isinstance(value, str):
            return self.text(value)
        if depth > _DEEPEST:
            return None
        if isinstance(value, Mapping):
            return {
                self.text(str(key)) if depth else key: self._deep(item, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._deep(item, depth + 1) for item in value]
        return value
