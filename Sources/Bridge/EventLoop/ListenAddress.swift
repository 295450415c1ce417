// Which sockets a HOST means: names to addresses, and what has to listen for a name to lead here from everywhere.

/// An address to listen on.
struct ListenAddress: Sendable, Equatable {
  let address: SocketAddress
  /// Whether a machine without this address is as good: one without IPv6 has no `::1`.
  var isOptional = false

  /// The addresses of `hosts`, each once. Blocks: for start-up only.
  ///
  /// `localhost` is both loopback addresses (RFC 6761 §6.3), whatever the hosts file says, and `::` is every IPv4 address
  /// too, as on systems where one socket serves both. An IPv6 address may stand in brackets, as in URLs.
  static func resolve(_ hosts: [String], port: Int) throws(LoopError) -> [ListenAddress] {
    var found: [ListenAddress] = []
    for host in hosts {
      for address in try resolve(host, port: port) where !found.contains(where: { $0.address == address.address })
      {
        found.append(address)
      }
    }
    return found
  }

  private static func resolve(_ host: String, port: Int) throws(LoopError) -> [ListenAddress] {
    let name = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    switch name.lowercased() {
    case "localhost", "localhost.":
      let second = try SocketAddress.resolve(host: "::1", port: port)
      return try addresses("127.0.0.1", port) + second.map { ListenAddress(address: $0, isOptional: true) }
    case "::": return try addresses(name, port) + addresses("0.0.0.0", port)
    default: return try addresses(name, port)
    }
  }

  private static func addresses(_ name: String, _ port: Int) throws(LoopError) -> [ListenAddress] {
    try SocketAddress.resolve(host: name, port: port).map { ListenAddress(address: $0) }
  }
}
