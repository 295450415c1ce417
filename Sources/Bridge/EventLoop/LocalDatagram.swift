// One datagram to a socket in the file system or the abstract namespace, as service managers listen on.

import Glibc

/// Sends datagrams to `AF_UNIX` sockets.
enum LocalDatagram {
  /// Sends without waiting. An address that begins with `@` is a name in the abstract namespace. False if nobody took
  /// the datagram.
  @discardableResult
  static func send(_ message: String, to address: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var target = sockaddr_un()
    target.sun_family = sa_family_t(AF_UNIX)
    var path = Array(address.utf8)
    guard !path.isEmpty, path.count < MemoryLayout.size(ofValue: target.sun_path) else { return false }
    // Names in the abstract namespace begin with a NUL.
    if path[0] == UInt8(ascii: "@") { path[0] = 0 }
    withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path) }
    let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path).map { $0 + path.count } ?? 0
    let bytes = Array(message.utf8)
    return withUnsafePointer(to: target) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(
          descriptor, bytes, bytes.count, Int32(bitPattern: UInt32(MSG_NOSIGNAL) | UInt32(MSG_DONTWAIT)), $0,
          socklen_t(length))
      } == bytes.count
    }
  }
}
