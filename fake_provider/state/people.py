"""The people with an account at every provider. Each shows something that an app has to deal with.

They are fictitious, even where the name is borrowed, and all e-mail addresses end in example.com (RFC 2606).
"""

from __future__ import annotations

from ..protocol.person import Person

PEOPLE: tuple[Person, ...] = (
    Person("ada", 1, "Ada Lovelace", "ada@example.com", "an ordinary account: start with her"),
    Person(
        "grace",
        2,
        "Grace Hopper",
        "grace@example.com",
        "another ordinary account",
        has_picture=False,
        email_is_public=True,
    ),
    Person("emmy", 3, "Emmy Noether", None, "has given the provider no e-mail address"),
    Person("alan", 4, "Alan Turing", "alan@example.com", "is called alan at GitHub"),
    Person(
        "alan-kay",
        5,
        "Alan Kay",
        "kay@example.com",
        "is called alan too, at another provider",
        usernames=(("x", "alan"), ("simplelogin", "alan"), ("google", "alan")),
    ),
    Person(
        "mallory",
        6,
        "Mallory Archer",
        "ada@example.com",
        "entered Ada's e-mail address and never verified it",
        email_verified=False,
    ),
    Person(
        "bobby",
        7,
        'Bobby <script>document.title="broken"</script><b>Tables</b>',
        "bobby@example.com",
        "has a name that is dangerous to a page that does not escape it",
    ),
)
