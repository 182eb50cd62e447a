// The HDF5 C library behind C++ manners: identifiers that release themselves, errors that are exceptions, and a table
// of element types. Only the hdf5*.cpp files include this header; everybody else uses files/hdf5.h.
#pragma once

#include <hdf5.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "files/hdf5.h"
#include "h5bridge/dtype.h"
#include "h5bridge/error.h"

namespace h5bridge::hdf5 {

/// Held around every use of the library, which need not have been built for threads: one caller at a time, no messages
/// on the terminal, and no plug-ins loaded because a file asks for them. What the process had set before comes back.
class Library {
 public:
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

/// Sets how much of a file's groups and data set headers the library keeps. It counts the bytes that they take in the
/// file and allows 32 MiB of these; decoded, those of ten thousand small data sets are three times as much.
void keep_little_metadata(hid_t access);

/// What the library says went wrong, where it happened; "" if it says nothing.
std::string library_message();

/// `text` with its control characters replaced, so that a name out of a file keeps a message on one line.
std::string printable(std::string_view text);

/// Keeps what was thrown where the library called us, until the call of it that fails for this throws it again. Call it
/// with Library held.
void keep_error(std::exception_ptr error);
/// Throws what is kept, with "`what`: " before its message; does nothing if nothing is.
void rethrow_kept_error(const std::string& what);

/// Throws Failure(`what`: what the library says), or what was kept.
template <typename Failure>
[[noreturn]] void fail(const std::string& what) {
  rethrow_kept_error(what);
  const std::string reason = library_message();
  throw Failure(reason.empty() ? what : what + ": " + reason);
}

/// Returns `result`, unless the library marked it as a failure by a negative value.
template <typename Failure, typename Result>
Result checked(Result result, const std::string& what) {
  if (result < 0) fail<Failure>(what);
  return result;
}

/// `checked` for results that are identifiers.
template <typename Failure>
Handle checked_handle(hid_t id, const std::string& what) {
  return Handle(checked<Failure>(id, what));
}

/// The type that elements of `dtype` have in a file, as h5py writes them. HDF5 has none for bfloat16 and the float8s:
/// they are opaque bytes, tagged with the dtype's name.
Handle type_of(DType dtype);

/// The type that h5py gives bfloat16: two opaque bytes without a tag.
Handle untagged_pair();

struct ElementType {
  DType dtype;
  bool native_order;  // the bytes are as type_of describes them
};

/// What a file's type means; nullopt for one that no tensor has.
std::optional<ElementType> element_type(hid_t type);

/// The type of variable-length text.
Handle text_type(H5T_cset_t character_set);

/// Selects elements `first` to `first + count` (in row-major order) of the data set's `space` in boxes, and calls
/// `use(box, elements)` with each selection's size, in order.
template <typename Use>
void for_each_box(hid_t space, const std::vector<hsize_t>& extents, hsize_t first, hsize_t count, Use&& use) {
  const std::size_t rank = extents.size();
  while (count > 0) {
    std::vector<hsize_t> start(rank), box(rank, 1);
    hsize_t rest = first;
    for (std::size_t axis = rank; axis-- > 0; rest /= extents[axis]) start[axis] = rest % extents[axis];
    // The box grows over inner axes for as long as it starts at their beginning and they fit as a whole.
    hsize_t elements = 1;
    for (std::size_t axis = rank; axis-- > 0;) {
      const hsize_t wanted = extents[axis] - start[axis];
      box[axis] = std::min(wanted, count / elements);
      elements *= box[axis];
      if (start[axis] != 0 || box[axis] != extents[axis]) break;
    }
    if (rank > 0)
      checked<MalformedFile>(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, box.data(), nullptr),
                             "selecting elements");
    use(elements);
    first += elements;
    count -= elements;
  }
}

}  // namespace h5bridge::hdf5
