package lectern;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.MultipartField;
import com.openai.errors.NotFoundException;
import com.openai.models.ComparisonFilter;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.files.FileCreateParams;
import com.openai.models.files.FilePurpose;
import com.openai.models.vectorstores.VectorStoreCreateParams;
import com.openai.models.vectorstores.VectorStoreSearchParams;
import com.openai.models.vectorstores.files.FileRetrieveParams;
import com.openai.models.vectorstores.files.VectorStoreFile;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The walk of the contract with OpenAI's client for Java, which validates every answer. */
public final class Walk {
  private static final String TEXT =
      "Returns are accepted within 30 days.\n\nShipping is free above 50 euros.";
  private static final OpenAIClient CLIENT =
      OpenAIOkHttpClient.builder()
          .baseUrl(System.getenv("LECTERN_URL") + "/v1")
          .apiKey(System.getenv("LECTERN_API_KEY"))
          .responseValidation(true)
          .build();
  private static boolean failed = false;

  private interface Step {
    void run() throws Exception;
  }

  private static void check(String name, Step step) {
    try {
      step.run();
      System.out.println("ok " + name);
    } catch (Exception | AssertionError error) {
      failed = true;
      System.out.println("FAIL " + name + ": " + error);
    }
  }

  private static void expect(boolean holds, Object what) {
    if (!holds) throw new AssertionError(String.valueOf(what));
  }

  private static void embeddings() {
    var answer =
        CLIENT
            .embeddings()
            .create(
                EmbeddingCreateParams.builder()
                    .model("text-embedding-3-small")
                    .inputOfArrayOfStrings(List.of("a cat", "a dog"))
                    .build());
    expect(answer.data().size() == 2 && answer.usage().totalTokens() > 0, answer);
  }

  private static void models() {
    var all = CLIENT.models().list().autoPager().stream().toList();
    expect(!all.isEmpty(), "no model");
  }

  private static void stores() throws Exception {
    var store =
        CLIENT.vectorStores().create(VectorStoreCreateParams.builder().name("java").build());
    var file =
        CLIENT
            .files()
            .create(
                FileCreateParams.builder()
                    .purpose(FilePurpose.ASSISTANTS)
                    .file(
                        MultipartField.<java.io.InputStream>builder()
                            .value(new ByteArrayInputStream(TEXT.getBytes(StandardCharsets.UTF_8)))
                            .filename("returns.txt")
                            .build())
                    .build());
    CLIENT
        .vectorStores()
        .files()
        .create(
            store.id(),
            com.openai.models.vectorstores.files.FileCreateParams.builder()
                .fileId(file.id())
                .build());
    VectorStoreFile attached = null;
    for (int i = 0; i < 1200; i++) {
      attached =
          CLIENT
              .vectorStores()
              .files()
              .retrieve(FileRetrieveParams.builder().vectorStoreId(store.id()).fileId(file.id()).build());
      if (!attached.status().equals(VectorStoreFile.Status.IN_PROGRESS)) break;
      Thread.sleep(50);
    }
    expect(attached.status().equals(VectorStoreFile.Status.COMPLETED), attached);
    var page =
        CLIENT
            .vectorStores()
            .search(
                store.id(),
                VectorStoreSearchParams.builder()
                    .query("How long may I return something?")
                    .maxNumResults(3)
                    .filters(
                        ComparisonFilter.builder()
                            .type(ComparisonFilter.Type.NE)
                            .key("kind")
                            .value("other")
                            .build())
                    .build());
    expect(page.data().get(0).content().get(0).text().contains("30 days"), page.data());
    expect(CLIENT.vectorStores().delete(store.id()).deleted(), "not deleted");
  }

  private static void refusals() {
    try {
      CLIENT.vectorStores().retrieve("vs_nothing");
    } catch (NotFoundException error) {
      expect(error.statusCode() == 404 && error.code().isPresent(), error);
      return;
    }
    throw new AssertionError("a store that never was is found");
  }

  public static void main(String[] args) {
    check("embeddings", Walk::embeddings);
    check("models", Walk::models);
    check("stores", Walk::stores);
    check("refusals", Walk::refusals);
    System.out.flush();
    System.exit(failed ? 1 : 0);
  }
}
