// How long Codex is waited for where a healthy one answers at once.

/// Times that nobody has a reason to set, given to the engine so that its tests need not wait as long.
struct EngineTimeouts: Sendable {
  /// With turns running, silence of the whole engine for this long asks for a sign of life.
  var silence = Duration.seconds(20)
  /// The same without turns, when nothing else would tell that the engine hangs.
  var idleSilence = Duration.seconds(4)
  /// When a sign of life has not come for this long, new turns are refused at once.
  var unanswered = Duration.seconds(3)
  /// A process that has given no sign of life for this long is replaced.
  var probe = Duration.seconds(15)
  /// A turn whose interrupt is not confirmed for this long is dropped, and its process is followed by another.
  var interrupt = Duration.seconds(5)
  /// A process that is to end has this long after its input was closed, and again after SIGTERM.
  var stop = Duration.seconds(3)
}
