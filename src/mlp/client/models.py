"""The client's view of the registry: add versions, look at them, move aliases, split traffic, remove."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlp.client.exchange import Exchange, decoded, path_of
from mlp.client.jobs import JobsClient, result_of
from mlp.client.results import AliasMove, Canary, Job, Model, Signature, Version

if TYPE_CHECKING:
    from mlp.client.package import Preprocess


@dataclass(frozen=True, slots=True)
class _ModelPage:
    models: list[Model]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _VersionPage:
    versions: list[Version]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _MovePage:
    moves: list[AliasMove]
    next: str | None = None


class ModelsClient:
    """Models of one server; ``client.models``. A version is named by its number or by an alias."""

    def __init__(self, exchange: Exchange, jobs: JobsClient) -> None:
        self._exchange = exchange
        self._jobs = jobs

    def add(
        self,
        name: str,
        model: Any,
        *,
        preprocess: "Preprocess | None" = None,
        example: Any = None,
        reference: Any = None,
        requirements: str | Path | Sequence[str] | None = None,
        alias: str | None = None,
        allow_mismatch: bool = False,
        metrics: Mapping[str, Any] | None = None,
        lineage: Mapping[str, Any] | None = None,
        label_horizon: str | timedelta | None = None,
        inputs: Mapping[str, Mapping[str, Any]] | None = None,
        timeout_seconds: float = 600.0,
    ) -> Version:
        """The new version of a model, accepted by the server; the model is created with its first version.

        The server loads it in a child process and compares its answers for the example with the answers given here.
        The first version of a model becomes its champion by itself. Writes a temporary folder; blocks until the
        server has decided.

        Args:
            name: Name of the model.
            model: A fitted estimator or pipeline of scikit-learn or LightGBM, a Booster, an ONNX model; or the path
                of a folder with mlp.toml (sent as it is), or of a .joblib, .pkl, .onnx or (LightGBM) .txt file.
            preprocess: A function that makes of the frame of inputs what the model takes. It travels as source,
                together with all that it uses of your notebook or script. Or the path of a .py file that defines it.
            example: Rows as callers will send them, before preprocessing: a DataFrame, an array, a list of dicts, or
                the path of a .csv, .json or .jsonl file. Types and missing values of the inputs are inferred from it.
            reference: Rows from training that drift is measured against: a DataFrame, or a .csv or .csv.gz file.
            requirements: The path of a requirements.txt, or a list of requirements.
            alias: A name to point at the version, such as ``champion``.
            allow_mismatch: Accept although packages differ from those that the model was trained with.
            metrics: Numbers to keep with the version, such as {"auc": 0.71}.
            lineage: Where it comes from, such as {"commit": "8f7fc7b"}.
            label_horizon: Age at which the label of a prediction counts as complete: "7d", "12h", or a timedelta.
            inputs: What an example cannot show, by input: {"age": {"minimum": 0, "maximum": 130}},
                {"city": {"unknown": "count"}}, {"zip": {"type": "string", "nullable": True}}.
            timeout_seconds: Longest wait for the server's decision.

        Raises:
            mlp.errors.BadInput: An argument is not what it should be, or code fails on the example already here.
            mlp.errors.CannotCapture: Code that cannot be sent; names everything, with reason and remedy.
            mlp.errors.VersionRefused: The server does not accept the version; the subclass says why.
            mlp.errors.DeadlineExceeded: No decision within ``timeout_seconds``; its job goes on.
        """
        # Imported here since it needs numpy, which no other call does.
        from mlp.client.package import Ingredients, write_package

        ingredients = Ingredients(preprocess, example, reference, requirements, metrics, lineage, label_horizon, inputs)
        with tempfile.TemporaryDirectory(prefix="mlp-") as working:
            archive = write_package(model, ingredients, Path(working))
            job = self._upload(name, archive, alias, allow_mismatch)
        return result_of(self._jobs.wait(job.id, timeout_seconds), Version)

    def _upload(self, name: str, archive: Path, alias: str | None, allow_mismatch: bool) -> Job:
        path = path_of("v1", "models", name, "versions")
        headers = {"Content-Type": "application/zip", "Content-Length": str(archive.stat().st_size)}
        query = {"alias": alias, "allow_mismatch": allow_mismatch}
        with archive.open("rb") as body:
            response = self._exchange.send("POST", path, query, body, headers)
        return decoded(response, Job, f"POST {path}")

    def show(self, name: str) -> Model:
        """The model with its aliases, traffic and settings.

        Raises:
            mlp.errors.UnknownModel: There is none of this name.
        """
        return self._exchange.call(Model, "GET", path_of("v1", "models", name))

    def versions(self, name: str) -> list[Version]:
        """All versions of the model, newest first."""
        pages = self._exchange.pages(_VersionPage, path_of("v1", "models", name, "versions"), {}, None)
        return [version for page in pages for version in page.versions]

    def version(self, name: str, ref: str = "champion") -> Version:
        """One version.

        Raises:
            mlp.errors.UnknownVersion: No version of that number or alias.
        """
        return self._exchange.call(Version, "GET", path_of("v1", "models", name, "versions", ref))

    def signature(self, name: str, ref: str = "champion") -> Signature:
        """What a version accepts and returns."""
        return self.version(name, ref).signature

    def alias(self, name: str, alias: str, ref: str | None, reason: str = "") -> Model:
        """The model after its alias was pointed at a version, or taken away (``ref`` None)."""
        path = path_of("v1", "models", name, "aliases", alias)
        if ref is None:
            return self._exchange.call(Model, "DELETE", path)
        return self._exchange.call(Model, "PUT", path, json={"version": ref, "reason": reason})

    def promote(self, name: str, ref: str, reason: str = "") -> Model:
        """The model with that version as champion."""
        body = {"version": ref, "reason": reason}
        return self._exchange.call(Model, "POST", path_of("v1", "models", name, "promote"), json=body)

    def rollback(self, name: str, reason: str = "") -> Model:
        """The model with the champion that it had before the last move.

        Raises:
            mlp.errors.NothingToRollBack: The champion has never moved.
        """
        body = {"reason": reason}
        return self._exchange.call(Model, "POST", path_of("v1", "models", name, "rollback"), json=body)

    def traffic(self, name: str, canary: Canary | tuple[str, float] | None = None, shadow: str | None = None) -> Model:
        """The model with this split of unversioned requests; what is not given is switched off.

        Args:
            canary: An alias and the share of requests that it answers, 0 to 100 percent.
            shadow: An alias that sees every request and whose answers are only recorded.
        """
        split = Canary(*canary) if isinstance(canary, tuple) else canary
        return self._exchange.call(
            Model, "PUT", path_of("v1", "models", name, "traffic"), json={"canary": split, "shadow": shadow}
        )

    def configure(self, name: str, *, label_horizon_seconds: float | None = None, record: str | None = None) -> Model:
        """The model with these settings; None leaves one as it is.

        Args:
            label_horizon_seconds: Age at which the label of a prediction counts as complete.
            record: on, durable or off.
        """
        settings = {"label_horizon_seconds": label_horizon_seconds, "record": record}
        given = {setting: value for setting, value in settings.items() if value is not None}
        return self._exchange.call(Model, "PATCH", path_of("v1", "models", name), json={"settings": given})

    def history(self, name: str, limit: int | None = 50) -> list[AliasMove]:
        """Moves of the model's aliases, newest first; at most ``limit``, None for all."""
        pages = self._exchange.pages(_MovePage, path_of("v1", "models", name, "history"), {}, limit)
        return [move for page in pages for move in page.moves]

    def remove(self, name: str, version: str | None = None) -> None:
        """Delete a version, or the whole model with all its versions.

        Raises:
            mlp.errors.VersionInUse: An alias points at the version.
        """
        segments = () if version is None else ("versions", version)
        self._exchange.send("DELETE", path_of("v1", "models", name, *segments))

    def list(self) -> list[Model]:
        """All models, by name."""
        return [model for page in self._exchange.pages(_ModelPage, "/v1/models", {}, None) for model in page.models]
