// How long conversations without a name are remembered.

enum Continuity: String, Sendable, CaseIterable {
  /// The last ones, while the process runs. Their threads are deleted when they are forgotten.
  case memory
  /// As sessions are.
  case disk
  /// Not at all.
  case off
}
