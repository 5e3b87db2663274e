"""Fetches an artefact from another server by its SHA-256, for a machine that shares no disk with the others."""

import urllib3

from mlp.errors import ArtefactCorrupt, Unauthorised, Unavailable
from mlp.storage.incoming import Incoming

_CONNECT_SECONDS = 5.0
#: Longest silence of the server while it sends.
_SILENCE_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20


class ArtefactSource:
    """The artefacts of a server, over its HTTP.

    Args:
        url: The server's address, such as ``http://api:4789``.
        key: Its key, if it asks for one.
    """

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=2)

    def fetch(self, digest: str, incoming: Incoming) -> None:
        """Write the zip file of that digest into ``incoming``, which says whether it is the right one.

        Raises:
            ArtefactCorrupt: The server has no such artefact.
            Unauthorised: It asks for another key.
            Unavailable: It cannot be reached, or broke off.
        """
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_SILENCE_SECONDS)
        try:
            answer = self._pool.request(
                "GET",
                f"{self._url}/v1/artefacts/{digest}",
                headers=self._headers,
                timeout=timeout,
                retries=False,
                preload_content=False,
            )
            try:
                self._check(answer.status, digest)
                for chunk in answer.stream(_CHUNK_BYTES):
                    incoming.write(chunk)
            except BaseException:
                answer.close()  # what was left unread would be taken for the next answer on this connection
                raise
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"artefact {digest} cannot be fetched from {self._url}: {error}") from error

    def _check(self, status: int, digest: str) -> None:
        if status == 404:
            raise ArtefactCorrupt(f"artefact {digest} is neither here nor at {self._url}", digest=digest)
        if status == 401:
            raise Unauthorised(f"{self._url} refuses this machine's key: set MLP_API_KEY to that of the server")
        if status != 200:
            raise Unavailable(f"artefact {digest} cannot be fetched from {self._url}: it answered {status}")
