"""What mends a part of the stack that is not reached: the commands of the deployed stack, by part and trouble."""

from mlp.api.reaching import Trouble

#: Names of the parts as Compose knows them, where they differ.
_SERVICES = {"broker": "rabbitmq", "cache": "redis"}
_PASSWORDS = {
    "database": "set DATABASE_PASS in .env to the password that the volume was made with, then docker compose up -d; "
    "or give the role the new one: docker compose exec database psql -U mlp -d mlpdb "
    "-c \"ALTER ROLE mlp PASSWORD '…'\"",
    "broker": "make CELERY_BROKER_URL in .env the same for all, then "
    "docker compose up -d --force-recreate prepare rabbitmq api worker",
    "cache": "make REDIS_PASS and CELERY_BACKEND_URL in .env agree, then "
    "docker compose up -d --force-recreate redis api worker",
}


def remedy_of(part: str, trouble: Trouble) -> str:
    """The commands that mend a part with this trouble, in the folder of docker-compose.yaml."""
    service = _SERVICES.get(part, part)
    if trouble is Trouble.PASSWORD:
        return _PASSWORDS.get(part, f"docker compose up -d --force-recreate {service}")
    if trouble is Trouble.UNRESOLVED:
        # Docker's own name server forgets a container that has stopped.
        return f"docker compose up -d {service}; then docker compose ps {service}"
    if trouble is Trouble.REFUSED:
        return f"docker compose logs --tail 50 {service}; docker compose restart {service}"
    if trouble is Trouble.SILENT:
        return f"docker compose restart {service}"
    return f"docker compose logs --tail 50 {service}"
