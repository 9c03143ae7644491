PYTHON := .venv/bin/python
PYTEST_ARGS ?= -n 2 --dist worksteal

# The static checks need no data: whatever the database of the moment, it stays out of them.
NO_DATABASE := DATABASE_URL=sqlite://:memory:

.PHONY: help setup demo serve test screenshots fix bench backup restore

help:
	@echo "make setup   prépare l'environnement Python dans .venv"
	@echo "make demo    construit la démonstration et ses documents dans demo/"
	@echo "make serve   ouvre le site sur http://127.0.0.1:8000/"
	@echo "make test    vérifie le format, les imports, les migrations, puis lance les tests"
	@echo "make screenshots  refait les captures d'écran des guides (Chromium)"
	@echo "make fix     corrige la mise en forme du code"
	@echo "make bench   mesure les temps de calcul et de rendu"
	@echo "make backup [TO=dossier ou fichier.tar]    sauvegarde la base et les documents"
	@echo "make restore FROM=fichier.tar [REPLACE=1]  restaure, migre et vérifie le registre"

setup:
	@bin/setup

demo: setup
	@$(PYTHON) manage.py demo

serve: setup
	@$(PYTHON) manage.py migrate --noinput
	$(PYTHON) manage.py runserver 127.0.0.1:8000

test: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports
	$(NO_DATABASE) $(PYTHON) manage.py makemigrations --check --dry-run
	@echo "manage.py check --deploy, réglages de production"
	@$(NO_DATABASE) DEBUG=0 ALLOWED_HOSTS=entsvc.example \
		SECRET_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(60))')" \
		$(PYTHON) manage.py check --deploy --fail-level WARNING
	$(PYTHON) -m pytest $(PYTEST_ARGS)

screenshots: setup
	SCREENSHOTS=1 $(NO_DATABASE) $(PYTHON) -m pytest -n 2 tests/browser/test_journey_*.py tests/browser/test_pictures.py

fix: setup
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: setup
	$(PYTHON) -m tests.benchmarks

backup:
	@bin/backup $(if $(TO),"$(TO)")

restore:
	@bin/restore $(if $(FROM),"$(FROM)") $(if $(REPLACE),--replace)
