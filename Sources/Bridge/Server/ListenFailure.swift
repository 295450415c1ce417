// Why the bridge cannot listen, with what to do about it.

extension ConfigurationError {
  /// The failure to listen on the addresses and the port of the settings.
  init(listening error: LoopError) {
    let port = Settings.port.name
    let advice =
      if error.isTakenAddress {
        "; another program listens there: end it, or choose another \(port)"
      } else if error.isMissingAddress {
        "; no interface that is up has this address: \(Settings.host.name) names it"
      } else if error.isAccessDenied {
        "; this account may not take that port: choose another \(port), of 1024 or more"
      } else {
        ""
      }
    self.init(description: error.description + advice)
  }
}
