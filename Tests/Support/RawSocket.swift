// Sockets without the loop: what a client does with them happens at once, and not in a later turn.

import Glibc
import Testing

/// A connected TCP socket that blocks. The system accepts for the listener, so that this does not wait for the loop.
func connectedSocket(port: Int) -> Int32 {
  let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
  let status = withUnsafeBytes(of: &address) { bytes in
    connect(client, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
  }
  #expect(status == 0)
  return client
}

/// Sends all of `text`.
func sendAll(_ client: Int32, _ text: String) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let sent = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard sent > 0 else { return }
    bytes = bytes.dropFirst(sent)
  }
}

/// What has come and was not read yet, without waiting; nil at the end of the connection.
func receiveSome(_ client: Int32) -> [UInt8]? {
  var bytes = [UInt8](repeating: 0, count: 64 << 10)
  let count = recv(client, &bytes, bytes.count, Int32(MSG_DONTWAIT))
  if count > 0 { return Array(bytes[..<count]) }
  return count < 0 && errno == EAGAIN ? [] : nil
}
