// The walk of the contract with OpenAI's client for Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const text = "Returns are accepted within 30 days.\n\nShipping is free above 50 euros."

var failed = 0

func check(name string, step func() error) {
	if err := step(); err != nil {
		failed++
		fmt.Printf("FAIL %s: %v\n", name, err)
		return
	}
	fmt.Printf("ok %s\n", name)
}

func expect(holds bool, what any) error {
	if !holds {
		return fmt.Errorf("%v", what)
	}
	return nil
}

func main() {
	ctx := context.Background()
	client := openai.NewClient(
		option.WithBaseURL(os.Getenv("LECTERN_URL")+"/v1"),
		option.WithAPIKey(os.Getenv("LECTERN_API_KEY")),
	)

	check("embeddings", func() error {
		answer, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: "text-embedding-3-small",
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a cat", "a dog"}},
		})
		if err != nil {
			return err
		}
		return expect(len(answer.Data) == 2 && answer.Usage.TotalTokens > 0, answer.RawJSON())
	})

	check("models", func() error {
		page, err := client.Models.List(ctx)
		if err != nil {
			return err
		}
		return expect(len(page.Data) > 0, "no model")
	})

	check("stores", func() error {
		store, err := client.VectorStores.New(ctx, openai.VectorStoreNewParams{Name: openai.String("go")})
		if err != nil {
			return err
		}
		file, err := client.Files.New(ctx, openai.FileNewParams{
			File:    openai.File(strings.NewReader(text), "returns.txt", "text/plain"),
			Purpose: openai.FilePurposeAssistants,
		})
		if err != nil {
			return err
		}
		attached, err := client.VectorStores.Files.NewAndPoll(ctx, store.ID, openai.VectorStoreFileNewParams{
			FileID: file.ID,
			Attributes: map[string]openai.VectorStoreFileNewParamsAttributeUnion{
				"kind": {OfString: openai.String("faq")},
			},
		}, 50)
		if err != nil {
			return err
		}
		if err := expect(attached.Status == openai.VectorStoreFileStatusCompleted, attached.RawJSON()); err != nil {
			return err
		}
		found, err := client.VectorStores.Search(ctx, store.ID, openai.VectorStoreSearchParams{
			Query:         openai.VectorStoreSearchParamsQueryUnion{OfString: openai.String("How long may I return something?")},
			MaxNumResults: openai.Int(3),
			Filters: openai.VectorStoreSearchParamsFiltersUnion{OfComparisonFilter: &openai.ComparisonFilterParam{
				Type: openai.ComparisonFilterTypeEq, Key: "kind",
				Value: openai.ComparisonFilterValueUnionParam{OfString: openai.String("faq")},
			}},
		})
		if err != nil {
			return err
		}
		if err := expect(len(found.Data) > 0 && strings.Contains(found.Data[0].Content[0].Text, "30 days"), found.RawJSON()); err != nil {
			return err
		}
		pager := client.VectorStores.Files.ListAutoPaging(ctx, store.ID, openai.VectorStoreFileListParams{Limit: openai.Int(1)})
		count := 0
		for pager.Next() {
			count++
		}
		if err := errors.Join(pager.Err(), expect(count == 1, count)); err != nil {
			return err
		}
		deleted, err := client.VectorStores.Delete(ctx, store.ID)
		if err != nil {
			return err
		}
		return expect(deleted.Deleted, deleted.RawJSON())
	})

	check("refusals", func() error {
		_, err := client.VectorStores.Get(ctx, "vs_nothing")
		var refused *openai.Error
		if !errors.As(err, &refused) {
			return fmt.Errorf("not an API error: %v", err)
		}
		return expect(refused.StatusCode == 404 && refused.Code != "", refused)
	})

	if failed > 0 {
		os.Exit(1)
	}
}
