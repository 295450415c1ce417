// Looking programs up as a shell would.

import Glibc

enum Programs {
  /// The first executable of that name in the directories of `path`, separated by colons.
  static func find(_ name: String, path: String) -> String? {
    path.split(separator: ":").lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}
