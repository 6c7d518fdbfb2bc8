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

"""How long is waited for what, in seconds, where one server is concerned."""

#: How long a request that was accepted, or whose answer was lost, may show
#: no effect; and how long a record may be ahead of its server.
PATIENCE_SECONDS = 30.0
#: An evacuation whose record stays as it is so long is not trusted to go on:
#: its run, or the service that was to carry it out, may have died.
HELD_SECONDS = 300.0
#: A time that a request answered with may be kept as whole seconds.
ROUNDING_SECONDS = 1.0
#: Wait before a failed or refused move is tried again, times the failures.
RETRY_SECONDS = 5.0
#: A server that no list shows (it is between two hosts) is looked at this
#: often, to learn when it has been deleted.
REVISIT_SECONDS = 30.0
#: A request to move that shows no effect so long makes us look at the server.
VISIT_AFTER_SECONDS = 3.0
#: How long a cold migration that another run or a person may have asked for is
#: left to them to confirm. Nova does not keep two confirmations apart that
#: come at the same moment: the later one puts the server into ERROR
#: (nova/compute/manager.py: do_confirm_resize).
ADOPT_SECONDS = 10.0
#: Two runs that wait for the same moment wait up to so long more, each
#: another time.
STAGGER_SECONDS = 10.0
#: Refusals of what brings something to its end after which the operator has
#: to look.
END_TRIES = 5
#: How often a server is looked at that something was asked for which leaves
#: no migration record, at first; later less often, as a part of the time it
#: takes, up to the most.
STEP_SECONDS = 1.0
STEP_PART = 0.2
STEP_MOST_SECONDS = 10.0
#: A compute service that misses a heartbeat or two may come back.
DOWN_GRACE_SECONDS = 30.0
