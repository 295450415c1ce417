// How long the bridge waits for Codex where a healthy process answers at once.

/// These times are no settings, because no user has a reason to change them. Tests give shorter ones, so that they need not
/// wait as long.
struct EngineTimeouts: Sendable {
  /// When a process with running turns has written nothing for this long, it is sent a health check.
  var silence = Duration.seconds(20)
  /// The same for a process without turns. Shorter, because nothing else would show that it hangs.
  var idleSilence = Duration.seconds(4)
  /// When a health check is not answered for this long, new turns are refused at once.
  var unanswered = Duration.seconds(3)
  /// When a health check is not answered for this long, the process is replaced.
  var probe = Duration.seconds(15)
  /// When Codex does not confirm the interrupt of a turn for this long, the turn is dropped, and another process takes
  /// over.
  var interrupt = Duration.seconds(5)
  /// How long a turn may wait for its client in a process that another has taken over from. With less, more turns go on from
  /// their records; with more, the old process stays longer.
  var parked = Duration.seconds(60)
  /// How long a process may take to end after its input was closed, and again after SIGTERM.
  var stop = Duration.seconds(3)
}
