// A file whose format is asked for: what one format parses to tell whether it is one of its own is there for all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "files/keras_file.h"
#include "files/zip.h"
#include "h5bridge/byte_source.h"
#include "h5bridge/json.h"

namespace h5bridge {

class SourceFile {
 public:
  /// `is_mapped`: its bytes are used where they lie (model/mapped_file.h).
  explicit SourceFile(std::string path, bool is_mapped = false);

  const std::string& path() const { return path_; }
  /// Whether it is a folder, which has no bytes of its own.
  bool is_folder() const { return is_folder_; }
  /// Throws SystemFailure if the file cannot be opened.
  const ByteSourcePtr& bytes() const;

  /// The archive, or null for any other file. Throws MalformedFile for a damaged one.
  const ZipReaderPtr& zip() const;
  /// The document, or nullptr where the file does not begin as an object of JSON; where it is one text, as
  /// json.dumps(model.to_json()) leaves it, what that says. Throws MalformedFile for JSON that is none.
  const Json* json() const;
  /// An HDF5 file, which is Keras's; nullptr for any other. Throws as read_keras_h5 does.
  const KerasFile* hdf5() const;

 private:
  bool begins_with(std::uint64_t offset, std::string_view magic) const;
  bool looks_like_hdf5() const;
  bool looks_like_json() const;

  std::string path_;
  bool is_mapped_;
  bool is_folder_;
  // Outer: whether it was looked for; inner: whether the file is one.
  mutable ByteSourcePtr bytes_;
  mutable std::optional<ZipReaderPtr> zip_;
  mutable std::optional<std::optional<Json>> json_;
  mutable std::optional<std::optional<KerasFile>> hdf5_;
};

/// A file's text, for formats that are small; throws MalformedFile if it is larger than 256 MiB.
std::string read_text(const ByteSource& file);

}  // namespace h5bridge
