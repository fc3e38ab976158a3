"""Certificates for one test broker and its clients, made by `openssl`."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPENSSL: Final = shutil.which("openssl")

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2")


@dataclass(frozen=True)
class Certificates:
    """Files of PEM in a folder."""

    folder: Path
    password: str = "hidden"
    """Of the client's key."""

    @property
    def authority(self) -> Path:
        """What clients and the broker trust."""
        return self.folder / "authority.pem"

    @property
    def stranger(self) -> Path:
        """Another authority, which has signed nothing."""
        return self.folder / "stranger.pem"

    @property
    def broker(self) -> Path:
        """The broker's key and certificate in one file, as Java wants them."""
        return self.folder / "broker-both.pem"

    @property
    def client(self) -> tuple[Path, Path]:
        """Certificate and key of a client."""
        return self.folder / "client.pem", self.folder / "client.key"

    def make(self) -> None:
        """Make all of them."""
        self.folder.mkdir()
        for name in ("authority", "stranger"):
            self._openssl(name, "-nodes", "-subj", f"/CN={name}")
        by = ("-CA", str(self.authority), "-CAkey", str(self.folder / "authority.key"))
        names = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:false")
        self._openssl("broker", "-nodes", "-subj", "/CN=broker", *by, *names)
        secret = ("-passout", f"pass:{self.password}")
        self._openssl("client", *secret, "-subj", "/CN=groundswell", *by)
        parts = (self.folder / "broker.key", self.folder / "broker.pem")
        self.broker.write_text("".join(part.read_text() for part in parts))

    def _openssl(self, name: str, *options: str) -> None:
        assert OPENSSL is not None
        files = (
            "-keyout",
            str(self.folder / f"{name}.key"),
            "-out",
            str(self.folder / f"{name}.pem"),
        )
        subprocess.run(
            [OPENSSL, "req", "-x509", *_KEY, *files, *options], check=True, capture_output=True
        )
