"""A server that answers as the documentation of PISTE and Chorus Pro says, faults included.

The tests start it on a free port of this machine. By hand, to try the whole journey:
`python -m tests.invoicing.chorus.fake_server` (it prints the settings to give to the site).
"""

import argparse
import base64
import gzip
import io
import json
import tarfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from facturx import get_facturx_xml_from_pdf
from lxml import etree

CLIENT = ("client", "secret-client")
ACCOUNT = ("TECH_1@cpro.fr", "secret-compte")
LARGEST = 10_000_000
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
RSM = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}"
DEPOSIT = "/cpro/factures/v1/deposer/flux"
SEARCH = "/cpro/factures/v1/rechercher/fournisseur"
HISTORY = "/cpro/factures/v1/consulter/historique"
REPORT = "/cpro/transverses/v1/consulterCRDetaille"
TOKEN = "/api/oauth/token"


@dataclass
class Invoice:
    identifier: int
    number: str
    flow: str
    history: list[dict[str, str]] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.history[-1]["histoStatutCode"]


@dataclass
class Flow:
    number: str
    name: str
    state: str = "IN_RECU"
    errors: list[dict[str, str]] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)


class FakeChorus:
    """The state of the fake Chorus Pro, and the faults that a test asks of it.

    `faults[path]` is a list, consumed one by one: « 401 », « 429 », « 500 », « half » (an answer cut
    short, the deposit being taken), « lost » (taken, the link cut before the answer), « slow » (taken,
    answered after `pause` seconds), « refused » (a functional error).
    """

    def __init__(self, pause: float = 1.0) -> None:
        self.pause = pause
        self.now = datetime(2025, 3, 10, 9, 0)
        self.faults: dict[str, list[str]] = {}
        self.refuses: dict[str, str] = {}  # invoice number: why it is rejected
        self.flows: dict[str, Flow] = {}
        self.invoices: list[Invoice] = []
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.given = 0
        self.page = 100
        self.lock = threading.Lock()

    # What the directory does with time.

    def integrate(self) -> None:
        """Judge every flow: integrated, in part, or rejected."""
        for flow in self.flows.values():
            if flow.state != "IN_RECU":
                continue
            bad = [row["numeroDP"] for row in flow.rejected]
            good = [number for number in flow.numbers if number not in bad]
            whole = "IN_INTEGRE_PARTIEL" if bad else "IN_INTEGRE"
            flow.state = whole if good and not flow.errors else "IN_REJETE"
            for number in good if flow.state != "IN_REJETE" else []:
                invoice = Invoice(8_000_000 + len(self.invoices), number, flow.number)
                self.invoices.append(invoice)
                self.move(number, "DEPOSEE")

    def move(self, number: str, status: str, comment: str = "") -> None:
        """Give a status to the last invoice that bears a number."""
        invoice = next(row for row in reversed(self.invoices) if row.number == number)
        self.now += timedelta(minutes=1)
        invoice.history.append(
            {
                "histoStatutCode": status,
                "histoStatutDatePassage": self.now.isoformat(timespec="milliseconds"),
                "histoStatutCommentaire": comment,
            }
        )

    def revoke(self) -> None:
        """Take back every token."""
        self.tokens.clear()

    def count(self, path: str) -> int:
        """Tell how many times an address was called."""
        return self.calls.count(path)

    # What it answers.

    def token(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        given = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
        if form.get("grant_type") != ["client_credentials"] or given != CLIENT:
            return 401, {"error": "invalid_client"}
        self.given += 1
        token = f"jeton-{self.given}"
        self.tokens.add(token)
        return 200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def answer(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        found = {
            DEPOSIT: self.deposit, SEARCH: self.search, HISTORY: self.history, REPORT: self.report,
        }.get(path)  # fmt: skip
        return found(asked) if found else (404, {"codeRetour": 404, "libelle": "Inconnu"})

    def deposit(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if asked.get("syntaxeFlux") != "IN_DP_E2_CII_FACTURX":
            return 200, {"codeRetour": 20001, "libelle": "GDP_MSG_11.006 Syntaxe inconnue"}
        content = base64.b64decode(asked["fichierFlux"])
        if len(content) > LARGEST:
            return 200, {"codeRetour": 20001, "libelle": "GDP_MSG_11.022 Fichier trop lourd"}
        flow = Flow(f"CPP{len(self.flows) + 1:010d}", asked["nomFichier"])
        try:
            files = _files(content, asked["nomFichier"])
            flow.numbers = [_number(pdf) for pdf in files]
        except (ValueError, OSError, tarfile.TarError) as error:
            flow.errors.append(_error("GDP_REJ_01", f"Fichier illisible : {error}"))
        taken = [row.number for row in self.invoices if row.status != "REJETEE"]
        for number in flow.numbers:
            why = self.refuses.get(number) or ("Doublon de facture" if number in taken else "")
            if why:
                flow.rejected.append(
                    {
                        "numeroDP": number,
                        "libelleErreurDP": why,
                        "identifiantFournisseur": "1",
                        "identifiantDestinataire": "2",
                    }
                )
        self.flows[flow.number] = flow
        return 200, {
            "codeRetour": 0,
            "libelle": "TRA_MSG_00.000",
            "numeroFluxDepot": flow.number,
            "dateDepot": self.now.date().isoformat(),
            "syntaxeFlux": asked["syntaxeFlux"],
        }

    def report(self, asked: dict[str, Any]) -> tuple[int, Any]:
        flow = self.flows.get(asked.get("numeroFluxDepot", ""))
        if flow is None:
            return 200, {"codeRetour": 20001, "libelle": "POQ_MSG_01.003 Flux introuvable"}
        return 200, {
            "codeRetour": 0,
            "libelle": "",
            "nomFichier": flow.name,
            "etatCourantDepotFlux": flow.state,
            "listeErreurTechnique": flow.errors if flow.state == "IN_REJETE" else [],
            "listeErreurDP": flow.rejected if flow.state != "IN_RECU" else [],
        }

    def search(self, asked: dict[str, Any]) -> tuple[int, Any]:
        found = [
            row
            for row in self.invoices
            if asked.get("numeroFluxDepot") in (None, row.flow)
            and asked.get("numeroFacture") in (None, row.number)
        ]
        page = asked.get("rechercheFactureParFournisseur", {}).get("pageResultatDemandee", 1)
        shown = found[(page - 1) * self.page : page * self.page]
        pages = max(-(-len(found) // self.page), 1)
        return 200, {
            "codeRetour": 0,
            "libelle": "",
            "listeFactures": [self._found(row) for row in shown],
            "parametresRetour": {"pageCourante": page, "pages": pages, "total": len(found)},
        }

    def history(self, asked: dict[str, Any]) -> tuple[int, Any]:
        found = [row for row in self.invoices if row.identifier == asked.get("idFacture")]
        if not found:
            return 200, {"codeRetour": 20001, "libelle": "GCU_MSG_01 Facture introuvable"}
        return 200, {
            "codeRetour": 0,
            "libelle": "",
            "idFacture": found[0].identifier,
            "numeroFacture": found[0].number,
            "statutCourantCode": found[0].status,
            "historiquesDesStatuts": {"histoStatut": list(reversed(found[0].history))},
        }

    def _found(self, row: Invoice) -> dict[str, Any]:
        last = row.history[-1]
        return {
            "identifiantFactureCPP": row.identifier,
            "numeroFacture": row.number,
            "numeroFluxDepot": row.flow,
            "statut": row.status,
            "dateHeureEtatCourant": last["histoStatutDatePassage"],
            "commentaireEtatCourant": last["histoStatutCommentaire"],
            "dateDepot": self.now.date().isoformat(),
            "typeFacture": "FACTURE",
        }


class Handler(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        chorus: FakeChorus = self.server.chorus
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with chorus.lock:
            chorus.calls.append(self.path)
            fault = (chorus.faults.get(self.path) or [""]).pop(0)
            if fault in ("401", "408", "429", "500", "403", "302"):
                status, answer = int(fault), {"codeRetour": int(fault), "libelle": "panne demandée"}
            elif fault == "refused":
                status, answer = 200, {"codeRetour": 20001, "libelle": "GDP_MSG_11.999 Refusé"}
            elif self.path == TOKEN:
                status, answer = chorus.token(parse_qs(body.decode()))
            else:
                status, answer = self._authorised(chorus) or chorus.answer(self.path, json.loads(body))
        if fault == "slow":
            time.sleep(chorus.pause)
        if fault == "lost":
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self._say(status, content[: len(content) // 2] if fault == "half" else content)

    def _authorised(self, chorus: FakeChorus) -> tuple[int, Any] | None:
        account = base64.b64encode(":".join(ACCOUNT).encode()).decode()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in chorus.tokens:
            return 401, {"codeRetour": 401, "libelle": "Jeton inconnu"}
        if self.headers.get("cpro-account") != account:
            return 403, {"codeRetour": 403, "libelle": "Compte technique inconnu"}
        return None

    def _say(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if status == 429:
            self.send_header("Retry-After", "1")
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A fake Chorus Pro on a port of this machine."""

    daemon_threads = True

    def __init__(self, chorus: FakeChorus, port: int = 0) -> None:
        self.chorus = chorus
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *args: Any) -> None:
        """A client that gave up waiting is no error of the server."""


def _files(content: bytes, name: str) -> list[bytes]:
    if not name.endswith(".tar.gz"):
        return [content]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as tar:
        return [tar.extractfile(member).read() for member in tar.getmembers()]


def _number(pdf: bytes) -> str:
    try:
        _, xml = get_facturx_xml_from_pdf(pdf, check_xsd=False, check_schematron=False)
    except Exception as error:
        raise ValueError("ce n'est pas un Factur-X") from error
    if not xml:
        raise ValueError("ce n'est pas un Factur-X")
    return etree.fromstring(xml).findtext(f"{RSM}ExchangedDocument/{RAM}ID")


def _error(code: str, words: str) -> dict[str, str]:
    return {"codeErreur": code, "libelleErreur": words, "natureErreur": "T"}


def main() -> None:
    """Serve until stopped; a deposit is integrated at the next report, available at the one after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 : un port libre")
    parser.add_argument("--issuer", default="SN", help="code de l'émetteur")
    parser.add_argument("--reject", action="append", default=[], metavar="NUMERO")
    asked = parser.parse_args()
    chorus = FakeChorus()
    chorus.refuses = dict.fromkeys(asked.reject, "Le code service est obligatoire pour ce destinataire")
    plain = chorus.report

    def report(call: dict[str, Any]) -> tuple[int, Any]:
        chorus.now = datetime.now()
        told = plain(call)
        fresh = [row.number for row in chorus.invoices if row.status == "DEPOSEE"]
        chorus.integrate()
        for number in fresh:
            chorus.move(number, "MISE_A_DISPOSITION")
        return told

    searched = chorus.search

    def search(call: dict[str, Any]) -> tuple[int, Any]:
        told = searched(call)
        for row in chorus.invoices:
            if row.status == "DEPOSEE":
                chorus.move(row.number, "MISE_A_DISPOSITION")
        return told

    chorus.report, chorus.search = report, search
    server = Server(chorus, asked.port)
    print(
        f"CHORUS_OAUTH_URL={server.url}{TOKEN}\nCHORUS_API_URL={server.url}\n"
        f"CHORUS_CLIENT_ID={CLIENT[0]}\nCHORUS_CLIENT_SECRET={CLIENT[1]}\n"
        f"CHORUS_LOGIN_{asked.issuer}={ACCOUNT[0]}\nCHORUS_PASSWORD_{asked.issuer}={ACCOUNT[1]}",
        flush=True,
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
