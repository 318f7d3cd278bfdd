"""The people of the demo: their founding, what they approve under a policy, and a revocation."""

import time

from story import DemoFailed, Story, items

PEOPLE = {"ann": "Ann Author", "bob": "Bob Validator", "eve": "Eve Owner"}
POLICY = """\
name: production
description: A validator, then an owner, let a model in once its card and a spot check are there.
models: ["*"]
stages: [production]
steps:
  - id: validation
    seats: [{role: validator}]
  - id: ownership
    seats: [{role: owner}]
conditions:
  - {id: card, expression: 'card.purpose != "" && card.limits != ""'}
  - {id: accuracy, expression: 'version.metrics["accuracy"] > 0.5'}
  - {id: sample, expression: 'int(attached["spot-check"]["wrong"]) == 0', may_follow: true}
valid_for: 365d
open_for: 14d
"""
CARD = """\
purpose: Tells what kind of file a file is.
limits: Sees the first and last bytes only.
"""
ROLES = {
    "ann": ("contributor", "approver:validator"),
    "bob": ("approver:validator",),
    "eve": ("approver:owner",),
}


def let_people_in(story: Story) -> None:
    """Enrol three people with keys of their own and roles, then let a policy govern production."""
    story.chapter("The founding: three people enrol keys and get roles, then a policy governs")
    for login, printed_name in PEOPLE.items():
        passphrase = story.folder / f"{login}.passphrase"
        passphrase.write_text(f"correct horse {login}")
        passphrase.chmod(0o600)
        words = ("--name", printed_name, "--passphrase-file", str(passphrase))
        story.run("key", "enrol", *words, who=login)
        for role in ROLES[login]:
            story.run("role", "grant", login, role)
    policy = story.folder / "policy.yaml"
    policy.write_text(POLICY)
    story.run("policy", "apply", str(policy))
    story.chapter("From now on no role is given by one person alone")
    story.run("role", "grant", "ann", "deployer")
    (proposal,) = items(story.ask("proposal", "list"), "proposals")
    endorse = ("proposal", "endorse", str(proposal["name"]))
    story.refused(*endorse, *pen(story, "ann"), because="SELF_ENDORSEMENT", who="ann")
    story.run(*endorse, *pen(story, "bob"), who="bob")


def approve(story: Story) -> None:
    """Try the short ways, which are refused, then the right one."""
    story.chapter("Nobody gets a model into production alone, or without what the policy asks for")
    story.refused("stage", "set", "magika", "production", "2", because="APPROVAL_REQUIRED")
    ask = ("approval", "request", "magika/2", "--stage", "production")
    why = ("--reason", "Same accuracy, smaller graph.")
    story.refused(*ask, *why, because="CONDITION_UNMET", who="ann")
    card = story.folder / "card.yaml"
    card.write_text(CARD)
    story.run("version", "update", "magika/2", "--card", str(card), who="ann")
    story.run(*ask, *why, who="ann")
    (approval,) = items(story.ask("inbox", "--as", "bob"), "approvals")
    name = str(approval["name"])
    story.refused(*sign(story, name, "ann"), because="SELF_APPROVAL", who="ann")
    story.refused(*sign(story, name, "eve"), because="STEP_NOT_OPEN", who="eve")
    story.run("approval", "attach", name, "spot-check", "--claim", "wrong=0", who="ann")
    story.run("policy", "explain", name)
    story.run(*sign(story, name, "bob"), who="bob")
    story.run(*sign(story, name, "eve"), who="eve")
    wait_for_stage(story)
    story.run("show", "magika@production")


def revoke(story: Story) -> None:
    """Take the grant back: the version leaves production by itself."""
    story.chapter("One revocation takes it out, and nobody puts it back without a new approval")
    held = story.ask("audit", "who-approved", "magika", "--stage", "production")
    story.run("approval", "revoke", str(held["approval"]), "--reason", "A file misread.", who="eve")
    wait_for_stage(story, is_held=False)
    story.refused("show", "magika@production", because="NOT_FOUND")
    story.refused("stage", "set", "magika", "production", "2", because="APPROVAL_REQUIRED")


def sign(story: Story, approval: str, login: str) -> tuple[str, ...]:
    """Return the command with which a person signs."""
    return ("approval", "sign", approval, *pen(story, login))


def pen(story: Story, login: str) -> tuple[str, ...]:
    """Return the options with which a person signs anything."""
    return ("--passphrase-file", str(story.folder / f"{login}.passphrase"), "--yes")


def wait_for_stage(story: Story, *, is_held: bool = True) -> None:
    """Wait until the grant, or its end, has moved the stage; it does so by itself."""
    for _ in range(50):
        done = story.ask("audit", "who-approved", "magika", "--stage", "production")
        if bool(done.get("version")) == is_held:
            return
        time.sleep(0.1)
    raise DemoFailed("Production did not follow the approval within five seconds.")
