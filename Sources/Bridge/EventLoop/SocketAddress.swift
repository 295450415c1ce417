// Addresses to listen on or connect to: resolving names, printing numbers.

internal import CLibUV
import Glibc

/// An IPv4 or IPv6 socket address.
struct SocketAddress: Sendable, Equatable {
  /// The larger of the two. A `sockaddr_storage` takes 100 bytes more in each connection and each request.
  private var storage = sockaddr_in6()

  /// The addresses of a host name or literal, in the resolver's order. Blocks: for start-up only.
  static func resolve(host: String, port: Int) throws(LoopError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    defer { freeaddrinfo(list) }
    guard status == 0 else {
      throw LoopError(UV_EAI_NONAME.rawValue, "resolve the address “\(host)”")
    }
    var found: [SocketAddress] = []
    var next = list
    while let entry = next {
      next = entry.pointee.ai_next
      guard let source = entry.pointee.ai_addr,
        entry.pointee.ai_addrlen <= MemoryLayout<sockaddr_in6>.size
      else { continue }
      var address = SocketAddress()
      memcpy(&address.storage, source, Int(entry.pointee.ai_addrlen))
      if !found.contains(address) { found.append(address) }
    }
    return found
  }

  /// Fills an address by a libuv call such as `uv_tcp_getpeername`; nil if that fails.
  init?(filledBy fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<Int32>) -> Int32) {
    var length = Int32(MemoryLayout<sockaddr_in6>.size)
    let status = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { fill($0, &length) }
    }
    if status != 0 { return nil }
  }

  private init() {}

  func withPointer<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
    withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) } }
  }

  var isIPv6: Bool { Int32(storage.sin6_family) == AF_INET6 }

  /// The port in host byte order.
  var port: Int {
    withUnsafePointer(to: storage) { pointer in
      // sockaddr_in and sockaddr_in6 hold the port at the same offset.
      pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
    }
  }

  /// The numeric host, without brackets or port.
  var host: String {
    var text = [CChar](repeating: 0, count: 64)
    let status = withPointer { uv_ip_name($0, &text, text.count) }
    guard status == 0 else { return "?" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The address itself: 4 bytes of IPv4 or 16 of IPv6, in network order.
  var addressBytes: [UInt8] {
    withUnsafePointer(to: storage) { pointer in
      if isIPv6 {
        withUnsafeBytes(of: pointer.pointee.sin6_addr) { Array($0) }
      } else {
        pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
          withUnsafeBytes(of: address.pointee.sin_addr) { Array($0) }
        }
      }
    }
  }

  /// What one subscriber of the network has: an IPv4 address, or the first 64 bits of an IPv6 one.
  struct Block: Hashable, Sendable {
    let prefix: UInt64
    let isIPv6: Bool
  }

  var block: Block {
    let bytes = addressBytes
    // An IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) is one and the same.
    let isMapped = isIPv6 && bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    let significant = isMapped ? bytes.suffix(4) : bytes.prefix(8)
    return Block(prefix: significant.reduce(0) { $0 << 8 | UInt64($1) }, isIPv6: isIPv6 && !isMapped)
  }

  var isLoopback: Bool {
    let host = host
    return host == "::1" || host.hasPrefix("127.") || host.hasPrefix("::ffff:127.")
  }

  /// The same address with another port.
  func with(port: Int) -> SocketAddress {
    var copy = self
    // sockaddr_in and sockaddr_in6 hold the port at the same offset.
    copy.storage.sin6_port = UInt16(truncatingIfNeeded: port).bigEndian
    return copy
  }

  /// "127.0.0.1:8080" or "[::1]:8080".
  var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

  static func == (left: SocketAddress, right: SocketAddress) -> Bool {
    left.isIPv6 == right.isIPv6 && left.port == right.port && left.host == right.host
  }
}
