// A message that is told to a turn while it runs: the answer so far ends there, and the rest of the turn is told in the answer to
// the message.

/// How far the turn of an answer has been given to the answer that follows. Pure.
enum Steering: Equatable {
  /// The turn is the answer's own.
  case none
  /// The engine was given a message and has not replied yet.
  case asked
  /// The rest of the turn, and its places, belong to the answer that follows.
  case handedOver

  /// A message is to be told. False while another one is: who comes second waits its turn.
  mutating func ask() -> Bool {
    guard self == .none else { return false }
    self = .asked
    return true
  }

  /// The engine has replied. True if the answer has to end now.
  mutating func reply(isTaken: Bool) -> Bool {
    guard self == .asked else { return false }
    self = isTaken ? .handedOver : .none
    return isTaken
  }

  /// The answer had ended by itself, so that its turn and its places stay its own.
  mutating func keep() { self = .none }
}
