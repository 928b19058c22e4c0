package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
)

// say puts what is to be shown into a verdict's interventions, with the
// numbers to call: by the age of who reads it and in their language.
func (w *Worker) say(ctx context.Context, it pipeline.Item, v *pipeline.Verdict) error {
	locales := map[string]string{} // of the sender and of the recipient
	for n := range v.Interventions {
		i := &v.Interventions[n]
		who := reader(it, i.To)
		locale, asked := locales[i.To]
		if !asked {
			var err error
			if locale, err = w.localeOf(ctx, it, who); err != nil {
				return err
			}
			locales[i.To] = locale
		}
		i.Text, _ = w.Words.ForChild(i.TextKey, locale, pipeline.BandOf(who.Age))
		i.Helplines = w.Words.Beside(i.TextKey, locale)
	}
	return nil
}

// reader is who an intervention speaks to. Of several recipients it is the
// youngest, whose words fit the others too; one of unknown age counts as policy
// counts them. Where nobody is named it is somebody of unknown age.
func reader(it pipeline.Item, to string) pipeline.Person {
	if to == "sender" {
		return it.Sender
	}
	if len(it.Recipients) == 0 {
		return pipeline.Person{}
	}
	return slices.MinFunc(it.Recipients, func(a, b pipeline.Person) int {
		return cmp.Compare(rankOf(a), rankOf(b))
	})
}

func rankOf(p pipeline.Person) int {
	return slices.Index(pipeline.AgeBands[:], pipeline.BandOf(p.Age))
}

// localeOf is the reader's own, as their account tells it; else the item's;
// else the language that the item is written in.
func (w *Worker) localeOf(ctx context.Context, it pipeline.Item, who pipeline.Person) (string, error) {
	account, err := w.Store.Account(ctx, it.Tenant, who.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("locale of a reader: %w", err)
	}
	return cmp.Or(account.Locale, it.Locale, words.LanguageOf(it.Text)), nil
}
