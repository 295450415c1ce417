// The functions that a client offers to run, and what it wants of them.

extension Conversation {
  /// A function that the client runs when the model calls it.
  struct Tool: Sendable, Equatable {
    /// As the client calls it.
    let name: String
    var description = ""
    /// A JSON schema of type object.
    let parameters: JSONValue
    /// Whether the client wants arguments that follow the schema exactly.
    var isStrict = false
  }

  /// Which functions the model may or must call.
  enum ToolChoice: Sendable, Equatable {
    case auto
    case none
    /// One at least, whichever it is.
    case required
    case named(String)
  }

  /// All that a request says of functions.
  struct Tools: Sendable, Equatable {
    var functions: [Tool] = []
    var choice = ToolChoice.auto
    /// Whether several may be called before any has returned.
    var isParallel = true

    /// Those that the model may call for this answer.
    var offered: [Tool] { choice == .none ? [] : functions }

    /// Whether the answer has to be a call.
    var mustCall: Bool {
      switch choice {
      case .auto, .none: false
      case .required, .named: true
      }
    }
  }
}
