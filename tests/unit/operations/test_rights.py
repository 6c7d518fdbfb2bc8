# SPDX-License-Identifier: Apache-2.0

"""What a user may see is looked at before anything is touched."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

EVACUATE = {'policy': policies.Policy(evacuate=True), 'fenced': True}


class HiddenHostsTest(base.DrainTestCase):
    @unit.cases(
        ('drain', {}),
        ('drain', EVACUATE),
        ('preview', {}),
        ('preview', EVACUATE),
        ('restore', {}),
        ('preview_restore', {}),
        ('unset_and_restore', {}),
    )
    def test_refused(self, verb: str, options: dict[str, ty.Any]) -> None:
        self.given(builders.service(host='cmp01'))
        self.gateway.check_hosts_shown.side_effect = exceptions.NotPermitted(
            'hidden'
        )
        with self.assertRaisesRegex(exceptions.NotPermitted, 'hidden'):
            getattr(self.maintenance, verb)(['cmp01'], **options)
        self.assert_untouched()

    def test_short_outage_is_tolerated(self) -> None:
        self.gateway.check_hosts_shown.side_effect = exceptions.Unavailable(
            'no answer'
        )
        result = self.maintenance.drain(['cmp01'])
        self.assertEqual(exceptions.ExitCode.DONE, result.exit_code)
