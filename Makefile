# Each target is `python3 dev.py TARGET`; arguments go in ARGS, another Python in PYTHON:
#   make demo ARGS=--full
#   make test ARGS="-k signature" PYTHON=python3.13
#   make faults ARGS="--seed 7 --faults kill-*,partition-*"
PYTHON ?= python3
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test stack-test faults check docs setup bench lock clean

help demo test stack-test faults check docs setup bench lock clean:
	@$(PYTHON) dev.py $@ $(ARGS)
