// A word of a script for the demo model.

/// One word of a script: `NAME`, `NAME=VALUE`, and for a call `call=NAME:ARGUMENTS`.
struct DemoWord {
  var name = ""
  var value = ""
  var arguments: DemoArguments?
}
