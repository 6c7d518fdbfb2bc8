# SPDX-License-Identifier: Apache-2.0

"""The way to the control interface of a running cloud."""

from __future__ import annotations

import json
import os
from typing import Any

import requests

# The answer of a control request waits for what it asks for.
TIMEOUT = 180


class NotRunning(Exception):
    """No cloud runs in this directory."""


def ports(state: str) -> dict[str, int]:
    """The port of each listener of the cloud in a state directory."""
    try:
        with open(os.path.join(state, 'cloud.json')) as file:
            found: dict[str, int] = json.load(file)['ports']
    except FileNotFoundError as exc:
        raise NotRunning(f'no cloud is running in {state}') from exc
    return found


def session() -> requests.Session:
    """A session without proxies: those of the environment are for others."""
    made = requests.Session()
    made.trust_env = False
    return made


def control(
    session: requests.Session, port: int, method: str, path: str, body: Any
) -> Any:
    """Send a request to the control interface, and return the answer.

    :param port: of the listener ``side``.
    :raises ValueError: it was refused.
    """
    url = f'http://127.0.0.1:{port}/control/{path}'
    answer = session.request(method, url, json=body, timeout=TIMEOUT)
    if answer.status_code >= 400:
        raise ValueError(f'{path}: {answer.text}')
    return answer.json() if answer.content else None
