"""Throwaway database servers for one test run, and what stands in front of servers.

Each server lives in a temporary directory, listens on a free port of 127.0.0.1 only,
trades durability for speed, and runs as an unprivileged user when the tests run as
root, because PostgreSQL refuses to be root. The proxies do so as well.
"""

from .base import free_port as free_port
from .base import PASSWORD as PASSWORD
from .base import Proxy as Proxy
from .base import Server as Server
from .base import ServerError as ServerError
from .base import USER as USER
from .haproxy import HAProxy as HAProxy
from .mariadb import GaleraCluster as GaleraCluster
from .mariadb import GaleraServer as GaleraServer
from .mariadb import MariaDBServer as MariaDBServer
from .pgbouncer import PgBouncer as PgBouncer
from .pgpool import Pgpool as Pgpool
from .postgresql import PostgresServer as PostgresServer
from .postgresql import PrimaryServer as PrimaryServer
from .postgresql import StandbyServer as StandbyServer
from .router import SilentRouter as SilentRouter
