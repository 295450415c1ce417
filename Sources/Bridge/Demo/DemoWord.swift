// A word of a script for the demo model.

/// One word of a script: `NAME`, `NAME=VALUE`, and for a call `call=NAME:ARGUMENTS`.
struct DemoWord {
  var name = ""
  var value = ""
  var arguments: DemoArguments?
}

/// The arguments of a scripted call.
enum DemoArguments: Sendable, Equatable {
  /// An object for a function; a string for a tool that takes free text.
  case value(JSONValue)
  /// Text that is not JSON, sent as it is.
  case unreadable(String)
}
