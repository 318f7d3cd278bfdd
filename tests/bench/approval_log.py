"""A long log of approvals, made as it is read: real events, really signed, of many models.

Each approval is asked for, signed by two people, and granted: four events. One in ten stays open
after the first signature, and is signed by others.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message

from assay import names
from assay.approval.v1.events_pb2 import ApprovalGranted, PolicyPublished
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.event.v1.envelope_pb2 import Envelope
from assay_approval.conditions import Inputs
from assay_approval.domain import requesting as asking
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Facts
from assay_approval.domain.policies import Version
from assay_approval.signatures import policy_digest
from assay_events import admission, codec
from assay_events.envelope import Stored
from assay_events.memory import MemoryStore
from tests.property.assay_approval.test_court_laws import given_role
from tests.support.scribe import DEPLOYMENT, Scribe
from tests.unit.assay_approval.people import ANN, BOB, DAN, EVE, NOW, request, signed
from tests.unit.assay_approval.test_principal import enrolled

SPACE = "namespaces/default"
MODELS = 2_000
SPEC = PolicySpec(models=["*"], stages=["production"], quorum=2)
POLICY = Version(
    f"{SPACE}/policies/production/versions/1", 1, policy_digest(SPEC), SPEC, is_founding=True
)
_BATCH = 1_000
_SIGNERS = (BOB, EVE, DAN)


class Log(MemoryStore):
    """People and a policy in memory, then many approvals that are made when they are read."""

    def __init__(self, approvals: int) -> None:
        super().__init__()
        self.approvals = approvals
        self._draw = random.Random(approvals)
        self._last: Stored | None = None

    async def found(self) -> None:
        """Write the people, their keys and roles, and the policy."""
        scribe = Scribe({"approval": self})
        for person in (ANN, *_SIGNERS):
            await scribe.write(enrolled(person))
            await scribe.write(given_role(person, "validator"))
        await scribe.write(
            PolicyPublished(
                name=POLICY.name, number=1, spec=SPEC, digest=POLICY.digest, founding=True
            )
        )

    async def last_revision(self) -> int:
        """Return the revision of the last approval's last event, once all were read."""
        return self._last.revision if self._last else len(self.messages) + self._count()

    async def read(
        self,
        after: int,
        *,
        follow: bool,
        contexts: frozenset[str] | None = None,
        wake: asyncio.Event | None = None,
    ) -> AsyncIterator[Sequence[Stored]]:
        """Yield everything once; to who follows it later, only the people and the end."""
        del contexts, wake
        if not after:
            yield self.messages
        if follow:
            if self._last is not None:
                yield [self._last]
            await asyncio.Event().wait()
        batch = list[Stored]()
        for stored in self._approvals() if after < await self.last_revision() else ():
            batch.append(stored)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _count(self) -> int:
        return sum(2 if number % 10 == 0 else 4 for number in range(self.approvals))

    def _approvals(self) -> Iterator[Stored]:
        revision = len(self.messages)
        end = revision + self._count()
        for number in range(self.approvals):
            digest = b""
            for event in self._events(number):
                revision += 1
                stored = _stored(event, digest, revision)
                digest = admission.digest(stored.body)
                if revision == end:
                    self._last = stored
                yield stored

    def _events(self, number: int) -> Iterator[Message]:
        model = f"model-{number % MODELS:04}"
        asked = replace(
            request(),
            name=approval(number),
            version=names.VersionName("default", model, 1 + number // MODELS),
            target=names.StageName("default", model, "production"),
            nonce=f"{number:064x}",
            facts=Facts(
                f"sha256:{number:064x}", ANN.name, is_archived=False, inputs=self._inputs(model)
            ),
            policies=(POLICY,),
        )
        (event,) = asking.request(asked, APPROVAL.initial)
        yield event
        first, second = self._draw.sample(_SIGNERS, 2)
        yield signed(first, event)
        if number % 10:
            yield signed(second, event)
            yield ApprovalGranted(
                name=event.name,
                version=event.version,
                manifest_digest=event.manifest_digest,
                target=event.target,
            )

    def _inputs(self, model: str) -> Inputs:
        return Inputs(
            {
                "version.name": f"{SPACE}/models/{model}/versions/1",
                "version.metrics": {"auc": self._draw.random(), "loss": self._draw.random()},
                "version.params": {f"parameter-{n}": str(n) for n in range(10)},
                "version.size_bytes": self._draw.randrange(10**9),
                "model.tier": self._draw.choice(["high", "low"]),
                "model.owners": ["risk"],
                "attached": {},
            }
        )


def approval(number: int) -> str:
    """Return the name of an approval."""
    return f"{SPACE}/approvals/{UUID(int=number + (4 << 76) + (8 << 60))}"


def _stored(event: Message, previous: bytes, revision: int) -> Stored:
    name: str = getattr(event, "name")  # noqa: B009 - every event has one
    subject = APPROVAL.subject(name)
    envelope = Envelope(
        id=str(UUID(int=revision)),
        source="services/approval",
        subject=name,
        request_id=str(UUID(int=revision)),
        aggregate=subject,
        deployment=DEPLOYMENT,
        previous_digest=previous,
    )
    envelope.time.FromDatetime(NOW)
    message = codec.encode(envelope, event)
    return Stored(subject, message.type, message.body, revision, datetime.now(UTC))
