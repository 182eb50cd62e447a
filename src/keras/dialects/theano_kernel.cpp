#include "keras/dialects/theano_kernel.h"

#include <algorithm>
#include <vector>

namespace h5bridge {

Tensor turned_round(const Tensor& kernel) {
  const std::vector<std::byte> from = kernel.read();
  std::vector<std::byte> to(from.size());
  if (kernel.rank() < 3 || from.empty()) return kernel;
  const Shape& shape = kernel.shape();
  const std::int64_t places = element_count(Shape(shape.begin(), shape.end() - 2));
  const std::size_t size = from.size() / static_cast<std::size_t>(places);
  for (std::int64_t place = 0; place < places; ++place)  // the last place comes first
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(place) * size), size,
                to.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(places - 1 - place) * size));
  return Tensor(kernel.dtype(), shape, bytes_in_memory(std::move(to)));
}

}  // namespace h5bridge
