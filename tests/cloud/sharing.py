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

"""Undoes what Nova assumes about one compute host per process."""

from __future__ import annotations

import functools
import threading


def lock_per_host() -> None:
    """Give each host's resource tracker a lock of its own.

    Nova's lock is one per process, and held during requests to Placement:
    with many hosts every claim would wait for the periodic tasks of all
    others. To be called before anything imports the resource tracker, whose
    methods are decorated with it.
    """
    import nova.utils

    plain = nova.utils.synchronized

    def synchronized(name, *args, **kwargs):
        if name != 'compute_resources':
            return plain(name, *args, **kwargs)

        def decorate(method):
            guard = threading.Lock()
            by_host = {}

            @functools.wraps(method)
            def locked(self, *a, **kw):
                with guard:
                    if self.host not in by_host:
                        by_host[self.host] = plain(
                            f'{name}-{self.host}', *args, **kwargs
                        )(method)
                return by_host[self.host](self, *a, **kw)

            return locked

        return decorate

    nova.utils.synchronized = synchronized


def many_nodes() -> None:
    """Let the driver alone say which node a host is.

    Nova keeps the node's id in a file, of which there is one per process.
    """
    from nova.compute import manager
    import nova.virt.node

    nova.virt.node.write_local_node_uuid = lambda node: None
    nova.virt.node.read_local_node_uuid = lambda: None
    manager.ComputeManager._ensure_existing_node_identity = (
        lambda self, service: None
    )


def let_threads_sleep() -> None:
    """Keep the idle threads of the pools from waking up every second.

    They never end, and a thousand of them cost a third of a core.
    https://bugs.launchpad.net/futurist/+bug/2160159
    """
    import futurist

    futurist._thread.ThreadWorker.MAX_IDLE_FOR = 60


def share_objects() -> None:
    """Let two threads of Nova's have one object.

    The network is allocated beside the rest of a build, on the same Instance.
    With native threads one may note a change while the other goes through
    them: "Set changed size during iteration", and the server is in ERROR.
    It happened to one server in a thousand.
    """
    from oslo_versionedobjects import base

    plain = base.VersionedObject.obj_what_changed

    @functools.wraps(plain)
    def obj_what_changed(self):
        while True:
            try:
                return plain(self)
            except RuntimeError:
                continue

    base.VersionedObject.obj_what_changed = obj_what_changed
