# SPDX-License-Identifier: Apache-2.0

"""The guide's policy files, by the services' own enforcers."""

import itertools
import typing as ty
import unittest

from nova import policies as nova
from oslo_config import cfg
from oslo_policy import policy
from placement import policies as placement

from tests.cloud import policies
from tests.functional import rights

SERVICES = {'nova': nova, 'placement': placement}
ROLE = 'host_maintenance'
#: Roles that Nova's and Placement's rules know, and a project's user.
OTHERS: tuple[tuple[str, ...], ...] = (
    *((), ('reader',), ('member',), ('manager',), ('service',)),
    *(('admin',), ('reader', 'member'), ('reader', 'member', 'manager')),
)


class Service:
    """A service's rules, as they are with a policy file or without."""

    def __init__(self, name: str, *, with_file: bool = True) -> None:
        defaults = [*SERVICES[name].list_rules()]
        conf = cfg.ConfigOpts()
        conf([])
        file = str(policies.example(name)) if with_file else 'none.yaml'
        self._enforcer = policy.Enforcer(conf, policy_file=file)
        self._enforcer.suppress_default_change_warnings = True
        self._enforcer.suppress_deprecation_warnings = True
        self._enforcer.register_defaults(defaults)
        self.names = sorted(
            rule.name
            for rule in defaults
            if isinstance(rule, policy.DocumentedRuleDefault)
        )

    def allowed(self, *roles: str, project: str = 'theirs') -> set[str]:
        """What these roles may do with what is a project's."""
        user = {'user_id': 'me', 'project_id': 'mine', 'roles': [*roles]}
        known = 'context_is_admin' in self._enforcer.registered_rules
        is_admin = known and self._enforcer.enforce(
            'context_is_admin', dict(user), user
        )
        target = {'project_id': project, 'user_id': 'me'}
        if project != 'mine':
            target['user_id'] = 'somebody'
        user['is_admin'] = bool(is_admin)
        return {
            name
            for name in self.names
            if self._enforcer.enforce(name, dict(target), user)
        }


class TestPolicyFiles(unittest.TestCase):
    def test_the_role_has_the_rights_of_the_table(self) -> None:
        """Those, and no others."""
        for name in SERVICES:
            service = Service(name)
            wanted = {
                right.policy
                for right in rights.table()
                if right.service.lower() == name
            }
            given = service.allowed(ROLE) - service.allowed()
            self.assertEqual(wanted - {'context_is_admin'}, given, name)

    def test_other_roles_have_what_they_had(self) -> None:
        for name in SERVICES:
            now, before = Service(name), Service(name, with_file=False)
            for roles, project in itertools.product(
                OTHERS, ('mine', 'theirs')
            ):
                self.assertEqual(
                    before.allowed(*roles, project=project),
                    now.allowed(*roles, project=project),
                    (name, roles, project),
                )

    def test_no_policy_is_unknown(self) -> None:
        for name, module in SERVICES.items():
            known = {rule.name for rule in module.list_rules()}
            text = policies.example(name).read_text()
            rules: ty.Any = policy.Rules.load(text)
            self.assertEqual(set(), set(rules) - known - {ROLE}, name)
