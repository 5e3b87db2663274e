"""What a submitter may ask for besides the work itself, checked before a job is accepted."""

from mlp.config import Settings
from mlp.errors import BadInput
from mlp.jobs.job import NewJob
from mlp.jobs.webhook_addresses import check_url
from mlp.jobs.webhook_signature import signing_keys

#: A year: a job that may wait longer needs no end.
EXPIRES_SECONDS_MAX = 365 * 86_400.0


class Conditions:
    """The checks of one server.

    Raises:
        ConfigurationInvalid: The webhooks' secret is no good.
    """

    def __init__(self, settings: Settings) -> None:
        self.has_webhooks = bool(signing_keys(settings.webhook_secret))
        self._is_private_allowed = settings.webhook_private_addresses

    def check(self, new_job: NewJob) -> None:
        """Return if what the job asks for can be done.

        Raises:
            BadInput: Its webhook cannot be called, or would not be signed; it expires at once, or after a year.
        """
        seconds = new_job.expires_seconds
        if seconds is not None and not 0 < seconds <= EXPIRES_SECONDS_MAX:
            raise BadInput(f"expires_seconds={seconds:g}: above 0, and at most {EXPIRES_SECONDS_MAX:.0f} (a year)")
        if new_job.webhook_url is not None:
            self._check_webhook(new_job.webhook_url)

    def _check_webhook(self, url: str) -> None:
        if not self.has_webhooks:
            raise BadInput(
                "this server calls no webhooks: set MLP_WEBHOOK_SECRET, which signs the calls, on the server"
            )
        check_url(url, is_private_allowed=self._is_private_allowed)
