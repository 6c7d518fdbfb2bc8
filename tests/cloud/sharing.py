# SPDX-License-Identifier: Apache-2.0

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


def allocate_networks_first() -> None:
    """Allocate a server's network before the rest of its build goes on.

    Nova does so beside the rest, in another thread, on the same Instance
    (nova/compute/manager.py: _allocate_network). That suits eventlet, where
    one of the two runs until it waits; a native thread notes a change in the
    Instance while the other goes through its changes or its system_metadata:
    "Set changed size during iteration", and the server is in ERROR. The
    stand-in for Neutron answers at once, so that nothing is lost.
    """
    import futurist
    from nova.network import model

    class Pool:
        """What the module uses of nova.thread_pool_factory."""

        @staticmethod
        def spawn(func, *args, **kwargs):
            with futurist.SynchronousExecutor() as executor:
                return executor.submit(func, *args, **kwargs)

    model.thread_pool_factory = Pool
