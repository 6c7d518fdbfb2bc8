#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What would help where servers do not fit: lines for people."""

import dataclasses

from osc_hostmaint.planning import attempt as attempts

#: At most so many hosts are thought of as put into service.
MOST_OPENED = 8


def find(tried: attempts.Attempt) -> tuple[str, ...]:
    """Return what would help; nothing where nothing is left to place."""
    if not tried.outcome.left:
        return ()
    found = (_one_by_one(tried), _opened(tried), _freed(tried))
    return tuple(words for words in found if words)


def _one_by_one(tried: attempts.Attempt) -> str:
    """Each host could be drained with the others in service."""
    demands, leaving = tried.task.demands, tried.limits.leaving
    sources = {d.source for d in demands}
    if len(sources) < 2:
        return ''
    for source in sources:
        alone = attempts.attempt(
            tried.survey,
            (d for d in demands if d.source == source),
            dataclasses.replace(
                tried.limits,
                leaving=frozenset({source}),
                opened=leaving - {source},
            ),
        )
        if alone.outcome.left:
            return ''
    return (
        'the servers of each of these hosts alone would fit: drain one, put '
        'it back into service, then drain the next'
    )


def _opened(tried: attempts.Attempt) -> str:
    """Disabled hosts would have room, if they were in service."""
    room, limits = tried.task.room, tried.limits
    shut = sorted(
        (
            host
            for host, service in tried.survey.services.items()
            if service.up
            and not service.enabled
            and host not in limits.leaving
            and limits.only in ('', host)
        ),
        key=lambda host: (room.load(host), host),
    )
    for count in range(1, min(len(shut), MOST_OPENED) + 1):
        hosts = shut[:count]
        if not tried.again(opened=frozenset(hosts)).outcome.left:
            return (
                f'all would fit with {", ".join(hosts)} in service, which '
                f'{"is" if count == 1 else "are"} disabled now'
            )
    return ''


def _freed(tried: attempts.Attempt) -> str:
    """A host would have room if other servers left it."""
    after = tried.carried_out().room
    for demand in tried.task.demands:
        if demand.server.id not in tried.outcome.left:
            continue
        wanted = dict(demand.shape)
        lacks = [
            (max(n / wanted[name] for name, n in lack.items()), host, lack)
            for host, words in tried.task.options.against(demand).items()
            if not words and (lack := after.lacks(host, demand.shape))
        ]
        if lacks:
            _part, host, lack = min(lacks, key=lambda found: found[:2])
            amounts = ', '.join(f'{n} {c}' for c, n in sorted(lack.items()))
            return (
                f'server {demand.server.id} would fit on {host} if that had '
                f'{amounts} more'
            )
    return ''
