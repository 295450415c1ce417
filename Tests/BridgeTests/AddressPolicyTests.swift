import Testing

@testable import Bridge
@testable import BridgeTestSupport

/// Which addresses images may come from: every spelling of "inside" is refused.
@Suite(.onLoop)
struct AddressPolicyTests {
  /// Literals as they stand in URLs; the system's resolver reads them as curl would.
  @Test(arguments: [
    "127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "017700000001", "2130706433", "127.255.255.254",
    "0.0.0.0", "0", "0.0.0.1", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "169.254.169.254",
    "169.254.0.1", "0xa9fea9fe", "2852039166", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1",
    "3fff::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "100::1", "::127.0.0.1", "1::1",
  ])
  func refuses(_ literal: String) throws {
    let addresses = try SocketAddress.resolve(host: literal, port: 80)
    #expect(!addresses.isEmpty)
    for address in addresses { #expect(!AddressPolicy.isPublic(address.addressBytes), "\(literal)") }
  }

  @Test(arguments: [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.167.255.255", "198.17.255.255",
    "198.20.0.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8", "2002:0808:0808::1", "2001:200::1",
  ])
  func admits(_ literal: String) throws {
    for address in try SocketAddress.resolve(host: literal, port: 80) {
      #expect(AddressPolicy.isPublic(address.addressBytes), "\(literal)")
    }
  }

  @Test func knowsNoOtherFamilies() {
    #expect(!AddressPolicy.isPublic([]))
    #expect(!AddressPolicy.isPublic([8, 8, 8]))
  }
}
