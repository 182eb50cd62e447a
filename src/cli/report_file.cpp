#include "cli/report_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "cli/option_names.h"
#include "convert/model_check.h"
#include "convert/report.h"
#include "h5bridge/error.h"

namespace h5bridge::cli {
namespace {

Json named_options(const std::vector<std::string>& notes) {
  Json::Array result;
  for (const std::string& note : notes) result.push_back(with_option_names(note));
  return result;
}

Json training_of(const Model& model) {
  const bool has_optimizer = model.training && model.training->optimizer;
  return Json::Object{{"epoch", model.training && model.training->epoch ? Json(*model.training->epoch) : Json()},
                      {"loss", model.training && model.training->loss ? Json(*model.training->loss) : Json()},
                      {"optimizer", has_optimizer ? Json(model.training->optimizer->kind) : Json()},
                      {"left_out", model.optimizer_left_out}};
}

Json carried_by(const Model& model) {
  Json::Array names;
  for (const WeightProblem& problem : weight_problems(model))
    if (problem.kind == WeightProblem::Kind::Unexpected) names.push_back(problem.tensor);
  return names;
}

}  // namespace

ReportFile::ReportFile(const std::string& path, const std::vector<std::string>& sources,
                       const std::vector<std::string>& destinations)
    : path_(path), destinations_(destinations) {
  if (path_.empty()) return;
  for (const std::string& destination : destinations)
    if (destination == path_) throw UsageError(path_ + ": is named twice, as a destination and as the report");
  temporary_ = replacement_.temporary_for(path_);
  report_ = {{"sources", Json::array(sources)}, {"written", false}, {"refused", nullptr}};
}

void ReportFile::tell(const Model& model, const SaveOptions& options) {
  if (path_.empty()) return;
  report_.set("format", model.format);
  report_.set("framework", model.framework == Framework::Keras ? "Keras" : "PyTorch");
  report_.set("training", training_of(model));
  report_.set("carried", carried_by(model));
  Json::Array destinations;
  for (const std::string& path : destinations_) destinations.push_back(destination_report(model, path, options));
  report_.set("destinations", std::move(destinations));
}

void ReportFile::tell_notes(const std::vector<std::string>& reading, const std::vector<std::string>& writing) {
  report_.set("notes", Json::Object{{"reading", named_options(reading)}, {"writing", named_options(writing)}});
}

void ReportFile::tell_refusal(const Error& error) {
  report_.set("refused",
              Json::Object{{"message", with_option_names(error.what())}, {"status", static_cast<int>(error.status())}});
}

void ReportFile::finish(bool is_written) {
  if (path_.empty()) return;
  report_.set("written", is_written);
  in_file(path_, [&] {
    std::ofstream out(temporary_, std::ios::binary | std::ios::trunc);
    out << Json(report_).dump(2) << '\n';
    out.close();
    if (!out) throw SystemFailure(std::string("writing failed: ") + std::strerror(errno));
  });
  replacement_.commit();
}

}  // namespace h5bridge::cli
