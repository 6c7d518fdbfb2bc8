# SPDX-License-Identifier: Apache-2.0

"""Whether asking again after a refusal is any use. Nova's own words."""

import typing as ty

from osc_hostmaint import exceptions
from tests import unit
from tests.unit.nova import cloud

ACTION = f'{cloud.NOVA}/servers/vm1/action'


class RefusalTest(cloud.CloudTestCase):
    def _refused(self, answer: dict[str, ty.Any]) -> bool:
        self.cloud.post(ACTION, **answer)
        with self.raises(exceptions.RequestRefused) as caught:
            self.gateway.live_migrate('vm1')
        return caught.exception.final

    @unit.cases(
        'Compute host nowhere could not be found.',
        'Cannot migrate to the host where the server exists.',
        'Invalid input for field/attribute host. Value: bad host!.',
        "The target host can't be the same one.",
        'Feature not supported with instances that have accelerators.',
    )
    def test_impossible(self, words: str) -> None:
        self.assertTrue(self._refused(cloud.fault('badRequest', 400, words)))

    @unit.cases(
        # `migrate` of old releases; now the record says it.
        'No valid host was found. No valid host found for cold migrate',
        'Instance has not been resized.',
        'Compute service of cmp01 is still in use.',
        'Migration 2 state of instance vm1 is queued. Cannot force complete '
        'while the migration is in this state.',
    )
    def test_bad_moment(self, words: str) -> None:
        self.assertFalse(self._refused(cloud.fault('badRequest', 400, words)))

    @unit.cases(402, 405, 409, 412, 413)
    def test_other_statuses(self, status: int) -> None:
        answer = cloud.fault('x', status, 'Compute host not found.')
        self.assertFalse(self._refused(answer))

    def test_not_novas_word(self) -> None:
        self.assertFalse(
            self._refused({'status_code': 400, 'text': '<h1>Bad Request</h1>'})
        )

    def test_keystones_word(self) -> None:
        self.cloud.post(ACTION, **cloud.fault('x', 401, 'Who?'))
        self.gateway.user_name()  # Logged in.
        fault = cloud.fault('error', 400, 'Expecting to find domain.')
        self.cloud.post(cloud.TOKENS, **fault)
        with self.raises(exceptions.RequestRefused) as caught:
            self.gateway.live_migrate('vm1')
        self.assertFalse(caught.exception.final)
