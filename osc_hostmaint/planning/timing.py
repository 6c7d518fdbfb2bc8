# SPDX-License-Identifier: Apache-2.0

"""How long is waited for what, how old what was seen may be, and how often.

All durations are here, in seconds, each with its reason. They are read where
they are used, never copied before: so tests can make all of them shorter at
once, to fit a Nova whose own are shorter. ``FIXED`` are those that must stay
as they are then.
"""

# When a drain looks again.

#: From look to look, at the least: a look costs Nova a request or two.
LOOK_LEAST_SECONDS = 0.5
#: And at the most.
LOOK_MOST_SECONDS = 10.0
#: The most while the next end is foretold: looking in between would only
#: show what nobody expects.
LOOK_MOST_FORETOLD_SECONDS = 30.0
#: The most while only the last moves are in flight: who waits for the end of a
#: drain learns of it this late, and the last checks take a second.
LOOK_MOST_AT_THE_END_SECONDS = 3.0
#: While a server is about to reach its last status: Nova takes 0.4 to 2 s.
LOOK_LAST_STATUS_SECONDS = 1.0
#: While only others' doings are waited for.
LOOK_OTHERS_SECONDS = 3.0
#: While only the last checks are left, which show the end.
LOOK_LAST_CHECKS_SECONDS = 0.3
#: The least before the first end of a move: few moves end sooner.
LOOK_FIRST_END_SECONDS = 2.0
#: After a foretold end, as Nova's times are whole seconds; less with more
#: slots, because the queue may be empty sooner.
LOOK_AFTER_END_SECONDS = 1.0
#: Where an end is late, look again after this part of a move's time ...
LOOK_MOVE_PART = 0.15
#: ... or of how late it is, whichever is more: the later, the less often.
LOOK_DELAY_PART = 0.5
#: Of the time the oldest move has taken, while none has ended yet: the looks
#: double their distance, so one falls between the first end and that of the
#: migration which waited for it.
LOOK_AGE_PART = 0.8
#: Between two ends of moves: if it is less, a second move may end before the
#: first one is seen to have ended and another has reached the source.
QUICK_ENDS_SECONDS = 2.0
#: From one sign of an interruption to the next: how long a wish to stop may
#: go unnoticed.
STOP_CHECK_SECONDS = 1.0

# How often single things are looked at.

#: The servers of the host, in case something happened that leaves no record.
SERVERS_RECHECK_SECONDS = 60.0
#: Its compute service, for the same reason.
SERVICE_RECHECK_SECONDS = 30.0
#: Nothing is evacuated off a host that was looked at so long ago. A list may
#: take a minute where a cell does not answer (nova.context: CELL_TIMEOUT), and
#: another one may be needed to pick destinations.
SLOW_SERVICE_VALID_SECONDS = 150.0
#: The compute service while it is down: it may come back.
DOWN_SERVICE_RECHECK_SECONDS = 10.0
#: How old the list of services may be that one host takes from another: not
#: older than the look at one that is down.
SERVICES_SHARED_SECONDS = 10.0
#: How long after its answer a list of migration records also serves other
#: hosts. Short moves end that often.
RECORDS_SHARED_SECONDS = 0.5
#: How far back such a list may go: the longer, the more records are in it.
RECORDS_SHARED_SINCE_SECONDS = 180.0
#: Servers and allocations, while only orphaned allocations are waited for.
ORPHANED_RECHECK_SECONDS = 5.0
#: A server on its way to the host that holds such an allocation.
ARRIVING_RECHECK_SECONDS = 3.0
#: A server that no list shows (it is between two hosts), to learn when it
#: has been deleted.
UNLISTED_RECHECK_SECONDS = 30.0
#: A server that a request to move had no effect on yet.
UNMOVED_RECHECK_SECONDS = 3.0
#: A server that something was asked for which leaves no migration record, at
#: first; later less often, as a part of the time it takes, up to the most.
TASK_RECHECK_SECONDS = 1.0
TASK_RECHECK_PART = 0.2
TASK_RECHECK_MOST_SECONDS = 3.0
#: The progress of a live migration, at the most: each costs a request.
PROGRESS_RECHECK_SECONDS = 1.0
#: A rate that people are shown is that of so many seconds.
PROGRESS_RATE_SECONDS = 20.0
#: The live view is drawn anew so often, for the times that go by.
PROGRESS_REDRAW_SECONDS = 0.5
#: The least time to a look at a move that will be over its time then.
OVERDUE_RECHECK_SECONDS = 0.5
#: The room on other hosts: Placement's numbers, once a move was started by
#: them.
ROOM_RECHECK_SECONDS = 30.0
#: So much of the time at the most is spent on asking for them. With many hosts
#: moves start in quick succession, and those since the last answer are added.
ROOM_RECHECK_PART = 0.1
#: Others' migrations, where the moves to one destination are bounded.
OTHERS_MOVES_RECHECK_SECONDS = 5.0
#: The compute service of a host that is to send a heartbeat.
HEARTBEAT_CHECK_SECONDS = 1.0

# How long Nova is left to do something.

#: How long a request that was accepted, or whose answer was lost, may show
#: no effect; and how long a record may be ahead of its server.
EFFECT_WAIT_SECONDS = 30.0
#: How long a server that is being evacuated may be at rest on its host before
#: its destination counts as done with it. If that died when it had built the
#: server, Nova knows by then (nova.conf: service_down_time, and a heartbeat or
#: two).
REBUILT_WAIT_SECONDS = 90.0
#: How long a destination may take to begin with what was sent there: mostly
#: a second or two. It may have died, and look up for a minute still
#: (nova.conf: service_down_time).
UNANSWERED_SECONDS = 10.0
#: How long allocations may have no server here before they count as orphaned:
#: Nova tidies up after a move.
ORPHANED_WAIT_SECONDS = 30.0
#: An evacuation whose record stays as it is so long is not trusted to go on:
#: its run, or the service that was to carry it out, may have died.
EVACUATION_WAIT_SECONDS = 300.0
#: A move that Nova took, and that no record shows for so long, is lost.
UNRECORDED_WAIT_SECONDS = 300.0
#: Others' migrations that began so long ago are not awaited: a compute
#: service that died may leave records behind that never end.
OTHERS_MOVES_WAIT_SECONDS = 86400.0
#: How long nothing may have happened to a server that Nova is doing something
#: with, when a run comes: then it is not awaited. It is no proof that nothing
#: goes on: a large disk is copied for hours, and nothing changes meanwhile.
FOUND_STUCK_SECONDS = 3600.0
#: The same while the run watches, where --server-timeout does not say.
STUCK_SECONDS = 1800.0
#: A compute service that misses a heartbeat or two may come back (nova.conf:
#: report_interval is 10 s by default).
DOWN_GRACE_SECONDS = 30.0
#: How long a powered-off host is listened to: two heartbeats.
SILENCE_SECONDS = 20.0
#: A server that was being scheduled when the host was disabled may arrive so
#: much later.
LATE_ARRIVAL_SECONDS = 3.0

# How long we pause before we try again, and how often we do.

#: Before a failed or refused move is tried again, times the failures.
RETRY_WAIT_SECONDS = 5.0
#: After Nova said that it has too many requests, or where all destinations
#: have as many moves on their way as they may.
POSTPONED_WAIT_SECONDS = 5.0
#: After a refusal of what brings something to its end: mostly the record said
#: ``finished`` a moment before the server reached VERIFY_RESIZE.
REFUSED_WAIT_SECONDS = 2.0
#: Refusals of what brings something to its end after which the operator has
#: to look.
END_TRIES = 5
#: After a look that failed: it doubles up to the largest.
OUTAGE_PAUSE_SECONDS = 2.0
OUTAGE_PAUSE_MOST_SECONDS = 30.0
#: An outage of the API, or of a cell, this long ends a drain.
OUTAGE_LIMIT_SECONDS = 300.0
#: Further attempts for a request that may be repeated.
REQUEST_RETRIES = 2
#: Before the first of them; it doubles with each, unless the service asks for
#: another pause (Retry-After).
REQUEST_PAUSE_SECONDS = 0.5
REQUEST_PAUSE_MOST_SECONDS = 60.0
#: In it, it is looked this often whether the user wants to stop.
INTERRUPT_CHECK_SECONDS = 0.5
#: A longer pause is said.
REQUEST_PAUSE_SAID_SECONDS = 5.0
#: After so long it is said how many hosts were looked at or marked.
PREPARATION_SAID_SECONDS = 5.0

# How runs keep out of each other's way: by times that differ.

#: How long a cold migration that another run or a person may have asked for is
#: left to them to confirm, before the share below: as long as that run pauses
#: between two looks (LOOK_MOST_SECONDS, where no live migration takes longer).
#: Nova does not keep two confirmations apart that come at the same moment: the
#: later one puts the server into ERROR (nova/compute/manager.py:
#: do_confirm_resize).
CONFIRM_WAIT_SECONDS = 10.0
#: Two runs that wait to confirm the same wait up to so long more, each
#: another time: the shorter this is, the more often both are at the same
#: moment.
CONFIRM_STAGGER_SECONDS = 10.0
#: A server that another run has resumed is left to it so long after Nova last
#: changed it: that run looks every half a minute at the least, and may have to
#: wait before it moves the server once more.
RESUMED_BY_OTHERS_SECONDS = 60.0
#: Two runs that could begin to evacuate at the same moment begin up to so
#: much later, each another time.
EVACUATE_STAGGER_SECONDS = 5.0
#: A run that has not evacuated yet waits so long after the last evacuation
#: for the run that asked for it: the longest pause between two looks, and a
#: bit more.
EVACUATE_AFTER_OTHERS_SECONDS = 15.0
#: Two such runs wait up to so long more, each another time: an evacuation is
#: not seen before its destination begins, and both look every few seconds.
EVACUATE_AFTER_OTHERS_STAGGER_SECONDS = 20.0

# How old what was seen may be.

#: What was seen of the cloud, before servers are evacuated by it: somebody
#: was asked in between.
CLOUD_VIEW_VALID_SECONDS = 30.0
#: A server that is about to be cold-migrated or shelved. Its owner may have
#: started it since, and Nova would do it all the same: by stopping it. (A
#: live migration of a server that has been stopped is refused, and does no
#: harm.)
SERVER_VIEW_VALID_SECONDS = 5.0
#: The migration records that any other move is started by. Where a cell does
#: not answer, the lists of one look take minutes, and somebody else may have
#: moved the server meanwhile: Nova would move it on from where it is now.
RECORDS_VALID_SECONDS = 30.0
#: A decision that is to be carried out: a request may have hung meanwhile.
DECISION_VALID_SECONDS = 5.0

#: A token with so much of its life left, or a part of it, is good for a move.
#: Nova and what it asks go on using it until the move has ended.
TOKEN_LEFT_SECONDS = 600.0
TOKEN_LEFT_PART = 0.5

# How events are delivered (--notify, --event-log).

#: To reach a receiver.
NOTIFY_CONNECT_SECONDS = 5.0
#: For its answer. Nobody waits for it but the other events for it.
NOTIFY_ANSWER_SECONDS = 10.0
#: After a failure, at first, then twice as long each time, up to the most.
NOTIFY_PAUSE_SECONDS = 1.0
NOTIFY_PAUSE_MOST_SECONDS = 60.0
#: For what is left at the end of a command: its table is printed by then.
NOTIFY_DELIVERY_SECONDS = 10.0
#: At the end, before a line says what is waited for.
NOTIFY_SAID_AFTER_SECONDS = 1.0
#: Events that wait for a receiver: those of fifty hosts with fifty servers.
EVENTS_AT_ONCE = 10_000
#: Of an event that a receiver redirects to another path of its own.
REDIRECT_TRIES = 4

# How exact clocks are.

#: A time that a request answered with may be kept as whole seconds.
ROUNDING_SECONDS = 1.0
#: Nova's clocks may differ by so much among its controllers.
CLOCK_SKEW_SECONDS = 5.0
#: Somebody planted what is dated so much later than now: no clock is as wrong.
PLANTED_AHEAD_SECONDS = 86400.0
#: Ask again for records changed up to this long before the newest known
#: change: Nova's services stamp them with clocks of their own, and commit them
#: in another order.
RECORDS_OVERLAP_SECONDS = 60.0

# How many moves at once.

#: Live migrations on their way to the source at once, while it is not known
#: how many it runs: so many, or a part of those that run already. The queue
#: that ends the search is no longer than that.
PROBES_AT_ONCE = 2
PROBES_PART = 2
#: So many moves give up their places at once whose destination does not begin
#: with them: with more, it is not the destinations.
UNANSWERED_MOVES_AT_ONCE = 2
#: Cold migrations, and what shelves servers: Nova has no queue for them, and
#: each copies a disk.
UNQUEUED_MOVES_AT_ONCE = 2
#: Evacuations have no queue either, and their servers are down meanwhile: as
#: many as a destination builds at once, nearly (max_concurrent_builds, 10).
EVACUATIONS_AT_ONCE = 8

#: So many records of others in a list for all hosts: with more, a list for
#: each host costs Nova less.
OTHERS_RECORDS_AT_ONCE = 500

# What the user or clouds.yaml may set.

#: A live migration without progress for this long has stalled
#: (--stall-after).
STALL_AFTER_SECONDS = 600.0
#: Further attempts for a move that failed, or that Nova refused (--retries).
MOVE_RETRIES = 2
#: Servers that fail one after another before no other move is started
#: (--max-failures).
MAX_FAILURES = 3
#: Moves in flight to each host that servers are brought back to (--parallel
#: of a restore).
RESTORES_AT_ONCE = 4
#: Hosts that a plan has drained together (--at-once).
HOSTS_AT_ONCE = 1
#: Hosts of an aggregate or a zone that a plan has out of service at once, in
#: per cent (--share): as many as a cloud mostly can do without.
SHARE_PERCENT = 25
#: How long ago a server may have left its host (--since).
RESTORE_SINCE_SECONDS = 604800.0
#: For an answer where clouds.yaml does not say (``api_timeout``): a request
#: could hang for ever otherwise. Nova itself waits 60 s for a cell that does
#: not answer, and answers without it then (nova/context.py: CELL_TIMEOUT).
REQUEST_TIMEOUT_SECONDS = 90.0

#: What is not made shorter where Nova's own times are: it follows from clocks
#: with whole seconds, from an option, or from how long requests take.
FIXED = frozenset(
    {
        'LOOK_AFTER_END_SECONDS',
        'PLANTED_AHEAD_SECONDS',
        'SERVER_VIEW_VALID_SECONDS',
        'RECORDS_VALID_SECONDS',
        'DECISION_VALID_SECONDS',
        'UNANSWERED_SECONDS',
        'EVACUATE_STAGGER_SECONDS',
        'ROUNDING_SECONDS',
        'CLOCK_SKEW_SECONDS',
        'RECORDS_OVERLAP_SECONDS',
        'RECORDS_SHARED_SINCE_SECONDS',
        'STALL_AFTER_SECONDS',
        'TOKEN_LEFT_SECONDS',
        'RESTORE_SINCE_SECONDS',
        'REQUEST_TIMEOUT_SECONDS',
        'SLOW_SERVICE_VALID_SECONDS',
    }
)
