"""The Mermaid sequence diagram of a login: names of parameters are text in it."""

from support.messages import AUTHORIZATION_REQUEST

from fake_provider.trace.logins import Logins
from fake_provider.trace.recorder import Trace
from fake_provider.trace.sequence_mermaid import draw_mermaid


def test_parameter_names_cannot_inject_mermaid():
    """Characters of Mermaid's syntax in the name of a parameter do not end a line of the diagram."""
    trace = Trace()
    trace.add(**AUTHORIZATION_REQUEST | {"query": [("a;b\n#participant x", "1")]})

    assert draw_mermaid(Logins(trace.messages()).all[0]).count("\n") == 4 + 3
