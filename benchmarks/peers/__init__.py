"""The peers that are measured: one file each, which installs its peer into a folder of its own and starts it."""

from benchmarks.peers.canaille import Canaille
from benchmarks.peers.control import Control
from benchmarks.peers.django_oauth_toolkit import DjangoOAuthToolkit
from benchmarks.peers.oidc_provider import OidcProvider
from benchmarks.peers.ours import Ours, OursWithACheapHash
from benchmarks.peers.peer import Peer

PEERS: tuple[Peer, ...] = (Control(), Ours(), OursWithACheapHash(), OidcProvider(), DjangoOAuthToolkit(), Canaille())
