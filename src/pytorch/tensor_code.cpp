#include "pytorch/tensor_code.h"

#include "pytorch/dtype_names.h"

namespace h5bridge {
namespace {

void put_integers(pickle::Writer& code, const std::vector<std::int64_t>& values) {
  code.mark();
  for (const std::int64_t value : values) code.integer(value);
  code.tuple();
}

}  // namespace

void put_tensor(pickle::Writer& code, DType dtype, const Shape& shape, std::string_view storage_key,
                bool requires_grad) {
  const std::string_view storage_class = storage_class_of(dtype);
  const bool untyped = storage_class.empty();
  const std::int64_t elements = element_count(shape);
  code.global("torch._utils", untyped ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
  code.mark();

  code.mark();
  code.text("storage");
  untyped ? code.global("torch.storage", "UntypedStorage") : code.global("torch", storage_class);
  code.text(storage_key);
  code.text("cpu");
  code.integer(untyped ? elements * static_cast<std::int64_t>(size_of(dtype)) : elements);
  code.tuple();
  code.persistent_id();

  code.integer(0);
  put_integers(code, shape);
  put_integers(code, contiguous_strides(shape));
  code.boolean(requires_grad);
  code.ordered_dict();
  if (untyped) code.global("torch", name_of(dtype));
  code.tuple();
  code.reduce();
}

}  // namespace h5bridge
