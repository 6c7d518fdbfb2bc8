# SPDX-License-Identifier: Apache-2.0

"""Which servers an operator means by --exclude."""

from collections import abc
import re

from osc_hostmaint import exceptions
from osc_hostmaint import text
from osc_hostmaint.i18n import _

#: Ids of servers and their names.
Names = abc.Mapping[str, str]

_ID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
#: A message names so many ids.
_MOST = 5


def resolve(
    wanted: abc.Iterable[str],
    servers: Names,
    where: str,
    ask_more: abc.Callable[[], Names] = dict,
) -> frozenset[str]:
    """Return the ids of the servers that ids and names mean.

    What looks like an id is taken as an id: an owner could name a server
    after the id of another one.

    :param wanted: ids and names.
    :param servers: those that can be meant.
    :param where: which ones these are, for people.
    :param ask_more: returns others, for what means none of them.
    :raises Refused: one of them means no server, or several.
    """
    found = {words: _meant(words, servers) for words in sorted(set(wanted))}
    if not all(found.values()):
        more = ask_more()
        found = {w: ids or _meant(w, more) for w, ids in found.items()}
    wrong = {words: ids for words, ids in found.items() if len(ids) != 1}
    problems = [_problem(words, ids, where) for words, ids in wrong.items()]
    if problems:
        raise exceptions.Refused(
            _(
                '--exclude: %s. Nothing was changed: see openstack server '
                'list --all-projects.'
            )
            % '; '.join(problems)
        )
    return frozenset(server_id for ids in found.values() for server_id in ids)


def _meant(words: str, servers: Names) -> tuple[str, ...]:
    """Return the ids of all servers that words may mean."""
    if words in servers:
        return (words,)
    if _ID.fullmatch(lower := words.lower()):
        return (lower,) if lower in servers else ()
    return tuple(sorted(i for i, name in servers.items() if name == words))


def _problem(words: str, ids: abc.Sequence[str], where: str) -> str:
    problem = _('no server %(where)s has the id or the name %(words)s')
    if ids:
        problem = _(
            '%(count)d servers %(where)s have the name %(words)s: give the id '
            'instead (%(ids)s)'
        )
    more = _(' and others') if len(ids) > _MOST else ''
    return problem % {
        'count': len(ids),
        'where': where,
        'words': text.printable(repr(words)),
        'ids': ', '.join(ids[:_MOST]) + more,
    }
