"""The calls to Chorus Pro through PISTE: two identities, time limits, and what a failure leaves unsaid.

What matters of a failed deposit is whether Chorus Pro may have taken it: `NotSent` (it did not),
`Refused` (it read it and said no), `Unclear` (nobody knows: search before any other deposit). A deposit
is never tried again here; what only reads is.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from invoicing.chorus import answers
from invoicing.chorus.access import HERE, Access

CONNECTS = 10  # seconds
ANSWERS = 60  # seconds without a byte
WHOLE = 120  # seconds for a whole answer, however slowly it comes
LARGEST = 20_000_000  # bytes of an answer
EARLY = 240  # seconds before a token ends at which another is asked for
TRIES = 3  # of a call that only reads
WAITS = 30  # the most seconds that it is worth waiting, asked by Retry-After
PAGE = 100  # invoices in a page of a search
Answer = TypeVar("Answer")


class ChorusError(Exception):
    """A call failed; the message says how, in French. `wait`: the seconds that Chorus Pro asks for."""

    def __init__(self, message: str, wait: int | None = None) -> None:
        self.wait = wait
        super().__init__(message)


class NotSent(ChorusError):
    """Chorus Pro did not take the request: it may be made again as it is."""


class Refused(ChorusError):
    """Chorus Pro read the request and refused it."""


class Unclear(ChorusError):
    """Nobody knows whether Chorus Pro took the request."""


class ChorusClient:
    """The calls that are made for one issuer; one token serves them all as long as it lasts."""

    def __init__(self, access: Access, sleep: Callable[[float], None] = time.sleep) -> None:
        self._access = access
        self._sleep = sleep
        self._token, self._ends = "", 0.0
        self._session = requests.Session()
        if urlsplit(access.api_url).hostname == HERE:
            self._session.trust_env = False  # no proxy leads to this machine

    def deposit(self, name: str, content: bytes, syntax: str) -> answers.Receipt:
        """Deposit a file, once; raise NotSent, Refused or Unclear."""
        payload = {
            "fichierFlux": base64.b64encode(content).decode(),
            "nomFichier": name,
            "syntaxeFlux": syntax,
            "avecSignature": False,
        }
        return _read(answers.receipt_of, self._post("factures/v1/deposer/flux", payload))

    def report(self, flow: str) -> answers.Report:
        """Return where a flow stands, and what was rejected of it."""
        told = self._ask("transverses/v1/consulterCRDetaille", {"numeroFluxDepot": flow})
        return _read(answers.report_of, told)

    def invoices_of(self, flow: str) -> Iterator[answers.Found]:
        """Yield the invoices that came from a flow."""
        return self._search({"numeroFluxDepot": flow})

    def invoices_numbered(self, number: str) -> Iterator[answers.Found]:
        """Yield the invoices of the supplier that bear a number."""
        return (row for row in self._search({"numeroFacture": number}) if row.number == number)

    def passages(self, identifier: str) -> list[answers.Passage]:
        """Return the statuses that an invoice took."""
        asked = int(identifier) if identifier.isdecimal() else identifier
        told = self._ask("factures/v1/consulter/historique", {"idFacture": asked})
        return _read(answers.passages_of, told)

    def _search(self, criteria: dict[str, Any]) -> Iterator[answers.Found]:
        page, seen = 1, set()
        while True:
            asked = {"pageResultatDemandee": page, "nbResultatsParPage": PAGE}
            told = self._ask(
                "factures/v1/rechercher/fournisseur",
                {**criteria, "rechercheFactureParFournisseur": asked},
            )
            rows = _read(answers.found_of, told)
            fresh = [row for row in rows if row.identifier not in seen]
            yield from fresh
            seen.update(row.identifier for row in fresh)
            pages = answers.pages_of(told)
            # Pages that are not counted go on until one brings nothing: none may be missed.
            if not fresh or (pages is not None and page >= pages):
                return
            page += 1

    def _ask(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Make a call that changes nothing: it may be made again."""
        for left in reversed(range(TRIES)):
            try:
                return self._post(path, payload)
            except (NotSent, Unclear) as error:
                wait = error.wait or 1
                if not left or wait > WAITS or (isinstance(error, NotSent) and error.wait is None):
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        status, told, wait = self._call(path, payload)
        if status == 401:  # the token was revoked before its end
            self._token = ""
            status, told, wait = self._call(path, payload)
        if status == 200:
            return _accepted(told)
        raise _failure(status, told, wait)

    def _call(self, path: str, payload: dict[str, Any]) -> tuple[int, str, int | None]:
        account = f"{self._access.login}:{self._access.password}".encode()
        headers = {
            "Authorization": f"Bearer {self._bearer()}",
            "cpro-account": base64.b64encode(account).decode(),
            "Content-Type": "application/json;charset=utf-8",
        }
        url = f"{self._access.api_url}/cpro/{path}"
        return self._send(url, data=json.dumps(payload).encode(), headers=headers)

    def _bearer(self) -> str:
        """Return the token, asked for when there is none or when it is about to end."""
        if self._token and time.monotonic() < self._ends:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": self._access.client_id,
            "client_secret": self._access.client_secret,
            "scope": "openid",
        }
        try:
            status, told, wait = self._send(self._access.oauth_url, data=form)
        except Unclear as error:  # the call itself never left
            raise NotSent(str(error)) from error
        if status != 200:
            raise NotSent(
                f"PISTE ne donne pas de jeton (HTTP {status}) : vérifiez CHORUS_CLIENT_ID et "
                "CHORUS_CLIENT_SECRET, ou recommencez plus tard.",
                wait,
            )
        try:
            given = json.loads(told)
            self._token = str(given["access_token"])
            self._ends = time.monotonic() + max(int(given.get("expires_in", 3600)) - EARLY, 1)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotSent("PISTE n'a donné qu'une demi-réponse au lieu d'un jeton.") from error
        return self._token

    def _send(self, url: str, **request: Any) -> tuple[int, str, int | None]:
        """Return the status of an answer, its text, and the seconds that it asks to wait."""
        limit = time.monotonic() + WHOLE
        try:
            with self._session.post(
                url,
                timeout=(CONNECTS, ANSWERS),
                stream=True,
                allow_redirects=False,  # secrets go nowhere else
                auth=lambda prepared: prepared,  # nor does a .netrc take the place of the token
                **request,
            ) as response:
                content = bytearray()
                for chunk in response.iter_content(65_536):
                    content += chunk
                    if time.monotonic() > limit or len(content) > LARGEST:
                        raise Unclear("La réponse de Chorus Pro n'en finit pas.")
                return response.status_code, content.decode("utf-8", "replace"), _wait(response)
        except requests.RequestException as error:
            raise _unanswered(error) from error


def _read(reader: Callable[[Any], Answer], told: dict[str, Any]) -> Answer:
    try:
        return reader(told)
    except answers.HalfAnswer as error:
        raise Unclear(f"Chorus Pro n'a donné qu'une demi-réponse : {error} y manque.") from error


def _accepted(told: str) -> dict[str, Any]:
    try:
        answer = json.loads(told)
    except ValueError as error:
        raise Unclear("Chorus Pro n'a donné qu'une demi-réponse.") from error
    if not isinstance(answer, dict):
        raise Unclear("Chorus Pro n'a donné qu'une demi-réponse.")
    if str(answer.get("codeRetour") or 0) != "0":
        raise Refused(f"Chorus Pro refuse : {_words(told)}")
    return answer


def _failure(status: int, told: str, wait: int | None) -> ChorusError:
    if status in (401, 403):
        return NotSent(
            f"Chorus Pro refuse l'accès (HTTP {status}) : vérifiez que l'application de PISTE a "
            "souscrit son API, et le compte technique, dont le mot de passe expire."
        )
    if status == 429:
        after = f" {wait} secondes" if wait else ""
        return NotSent(f"Chorus Pro reçoit trop d'appels : il demande d'attendre{after}.", wait or 1)
    if status >= 500 or status == 408:
        return Unclear(f"Chorus Pro est en panne (HTTP {status}).", wait)
    if status < 400:
        return NotSent(f"Chorus Pro répond de travers (HTTP {status}) : vérifiez CHORUS_API_URL.")
    return Refused(f"Chorus Pro refuse (HTTP {status}) : {_words(told)}")


def _words(told: str) -> str:
    """Return what an error says of itself, without trusting it to be short nor in its shape."""
    try:
        answer = json.loads(told)
        words = f"{answer.get('codeRetour') or ''} {answer.get('libelle') or ''}".strip()
    except (ValueError, AttributeError):
        words = ""
    return words[:500] or "sans motif"


def _unanswered(error: requests.RequestException) -> ChorusError:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
        return NotSent("Chorus Pro est injoignable : rien n'a été envoyé.")
    if isinstance(error, requests.Timeout):
        return Unclear("Chorus Pro n'a pas répondu à temps.")
    return Unclear("La liaison avec Chorus Pro s'est coupée.")


def _wait(response: requests.Response) -> int | None:
    asked = response.headers.get("Retry-After", "")
    return int(asked) if asked.isdecimal() else None
