// What `convert --report` leaves behind, whether the conversion was done or refused.
#pragma once

#include <optional>
#include <string>

#include "convert/replacement.h"
#include "convert/save.h"
#include "h5bridge/h5bridge.h"
#include "h5bridge/json.h"

namespace h5bridge::cli {

class ReportFile {
 public:
  /// Throws SystemFailure where nothing can be written at `path`, UsageError where that is a destination. An empty path
  /// is no report.
  ReportFile(const std::string& path, const std::vector<std::string>& sources,
             const std::vector<std::string>& destinations);
  /// What was read, and what becomes of it in each destination.
  void tell(const Model& model, const SaveOptions& options);
  void tell_notes(const std::vector<std::string>& reading, const std::vector<std::string>& writing);
  void tell_refusal(const Error& error);
  /// Replaces the file.
  void finish(bool is_written);

 private:
  std::string path_;
  std::vector<std::string> destinations_;
  Replacement replacement_;
  std::string temporary_;
  Json::Object report_;
};

}  // namespace h5bridge::cli
