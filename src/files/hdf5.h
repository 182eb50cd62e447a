// HDF5 files as a tree of groups, data sets and attributes, for reading and for writing. A thin and safe wrapper: it
// follows hard links only, never runs or loads anything a file names, and keeps HDF5's own headers out of ours.
//
// Everything here may be used from several threads. Errors name the path inside of the file, not the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/byte_source.h"
#include "h5bridge/tensor.h"

namespace h5bridge {
class DataWriter;
}

namespace h5bridge::hdf5 {

/// An identifier of the HDF5 library, released when this goes. A file stays open while anything in it is held.
class Handle {
 public:
  Handle() = default;
  explicit Handle(std::int64_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle();
  std::int64_t id() const { return id_; }

 private:
  std::int64_t id_ = -1;
};

// --- Reading. Whatever is wrong with the file is a MalformedFile. ---

/// A group or a data set of an open file.
class Object {
 public:
  Object(Handle handle, std::string path, ByteSourcePtr file)
      : handle_(std::move(handle)), path_(std::move(path)), file_(std::move(file)) {}

  /// "/model_weights/dense".
  const std::string& path() const { return path_; }
  /// Equal for two paths only if they lead to one object.
  std::uint64_t address() const;
  /// An attribute that is one string, of fixed or variable length; nullopt if there is none of that name.
  std::optional<std::string> text(const std::string& attribute) const;
  /// An attribute that is a list of strings. An empty array of any type is an empty list.
  std::optional<std::vector<std::string>> texts(const std::string& attribute) const;

 protected:
  Handle handle_;
  std::string path_;
  ByteSourcePtr file_;
};

class DataSet : public Object {
 public:
  using Object::Object;
  /// The elements, still in the file: where they lie there as a Tensor wants them, its bytes are the file's;
  /// compressed, chunked and big-endian ones go through the HDF5 library when they are read. Throws Unsupported for
  /// elements that are not numbers.
  Tensor tensor() const;
};

class Group : public Object {
 public:
  using Object::Object;
  /// Whether there is a link called `name`, which is no path.
  bool has(const std::string& name) const;
  /// What `path` ("a/b/c") leads to. Links other than hard ones are refused.
  Group group(std::string_view path) const;
  DataSet data_set(std::string_view path) const;
  /// The names of its links, sorted.
  std::vector<std::string> names() const;
  /// Whether `name`, which is there, leads to a group. Links other than hard ones are refused.
  bool is_group(const std::string& name) const;

 private:
  Handle follow(std::string_view path) const;
};

/// The root group of the HDF5 file at `path`. Throws SystemFailure if it cannot be read.
Group open(const std::string& path);
/// Likewise of one in an archive or in memory, all of whose bytes `file` has.
Group open(ByteSourcePtr file);

// --- Writing. Whatever goes wrong is a SystemFailure. ---

enum class CharacterSet { Ascii, Utf8 };

/// A group or a data set of a file that is being written.
class NewObject {
 public:
  NewObject(Handle handle, std::string path) : handle_(std::move(handle)), path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  /// A string of variable length: of any size.
  void set_text(const std::string& attribute, const std::string& text, CharacterSet character_set) const;
  /// A list of strings of variable length, at most 4000 or so: 16 bytes each must fit into an object header.
  void set_texts(const std::string& attribute, const std::vector<std::string>& texts) const;
  /// A list of strings that are all padded to the longest one's length.
  void set_padded_texts(const std::string& attribute, const std::vector<std::string>& texts) const;
  /// An empty list, as h5py writes it: of doubles.
  void set_no_texts(const std::string& attribute) const;

 protected:
  Handle handle_;
  std::string path_;
};

class NewGroup : public NewObject {
 public:
  NewGroup(Handle handle, std::string path, std::shared_ptr<DataWriter> data)
      : NewObject(std::move(handle), std::move(path)), data_(std::move(data)) {}
  /// Makes a group, and those on the way there.
  NewGroup create_group(const std::string& path) const;
  /// Makes a data set, and the groups on the way there. Its data is contiguous, aligned to 64 bytes and not compressed;
  /// it is written by the time that the file is finished, which throws what reading the tensor throws.
  NewObject write(const std::string& path, const Tensor& tensor) const;
  /// Likewise, as h5py writes NumPy's arrays: bfloat16 as bytes that are not told what they are.
  NewObject write_as_numpy(const std::string& path, const Tensor& tensor) const;

 private:
  NewObject write(const std::string& path, const Tensor& tensor, const Handle& type) const;

  std::shared_ptr<DataWriter> data_;
};

/// A new file; it replaces an old one. What is in it is complete only after `finish`.
class NewFile {
 public:
  explicit NewFile(const std::string& path);
  /// In the bytes of the file at `path`, which is there, from `offset` on; what stood there is cut off.
  NewFile(const std::string& path, std::uint64_t offset);
  NewGroup root() const;
  /// Everything is on its way to the disk; throws SystemFailure if that fails, and what reading the tensors throws.
  void finish();

 private:
  Handle file_;
  std::shared_ptr<DataWriter> data_;
};

}  // namespace h5bridge::hdf5
