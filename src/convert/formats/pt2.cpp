// What torch.export.save writes.
#include <algorithm>

#include "convert/formats/format.h"

namespace h5bridge {

Format pt2_format() {
  return {
      .name = "pt2",
      .looks_like =
          [](const SourceFile& file) {
            return file.zip() && std::ranges::any_of(file.zip()->entries(), [](const ZipEntry& entry) {
                     return entry.name.ends_with("models/model.json");
                   });
          },
      .described = "an archive of torch.export.save (.pt2)",
  };
}

}  // namespace h5bridge
